"""Samplers written by users: one that is correct, and several that are not."""


class Halving:
    """Proposes the middle of the range, then always goes halfway down to its lower end."""

    def __init__(self, low, high, seed):
        self.low, self.high = low, high

    def ask(self, drawn):
        return ((drawn[-1] if drawn else self.high) + self.low) / 2


class NotANumber(Halving):
    def ask(self, drawn):
        return float("nan")


class TooLarge(Halving):
    def ask(self, drawn):
        return 2 * self.high


class Word(Halving):
    def ask(self, drawn):
        return "0.01"


class Failing(Halving):
    def ask(self, drawn):
        raise RuntimeError("no idea\nat all")


class Silent:
    def __init__(self, low, high, seed):
        pass


def function(low, high, seed):
    return Halving(low, high, seed)
