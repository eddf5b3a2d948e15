"""Which trial runs next. Tune holds the slots of a cluster; each slot takes trials from here until none is left.

A slot that takes its next trial by itself keeps its worker, and the driver has nothing to do per trial: short
trials do not wait for it, and it remembers none of them.
"""

from collections import Counter, deque
from dataclasses import dataclass

LOSSES = 20  # how often one trial may lose its worker before it is left without a record


@dataclass(frozen=True)
class Ended:
    """A trial that has its record now."""

    id: str
    outcome: str


@dataclass(frozen=True)
class News:
    """What happened since the last look: trials that ended, how many run, how many have no record yet.

    lost: why workers were lost, a line for each
    """

    ended: list[Ended]
    running: int
    left: int
    lost: tuple[str, ...] = ()


class TrialQueue:
    """Trials that wait and trials that run, each by its slot; an actor of Ray beside the driver.

    specs: JSON of the spec of each trial, by id, in the order to run them
    """

    def __init__(self, specs: dict[str, str]) -> None:
        self.specs = dict(specs)  # of trials without a record
        self.waiting = deque(specs)
        self.running: dict[str, str] = {}
        self.losses: Counter[str] = Counter()
        self.ended: list[Ended] = []

    def next_trial(self, slot: str, id: str = "", outcome: str = "") -> str | None:
        """JSON of the spec that `slot` is to run next, None where none waits.

        id, outcome: of the trial that the slot has just ended, if any
        """
        self.running.pop(slot, None)
        if self.specs.pop(id, None) is not None:
            self.ended.append(Ended(id, outcome))
        while self.waiting:
            trial = self.waiting.popleft()
            if trial in self.specs:
                self.running[slot] = trial
                return self.specs[trial]
        return None

    def lost(self, slot: str) -> None:
        """Put the trial of a slot whose worker is gone back in front, unless it was lost too often."""
        trial = self.running.pop(slot, None)
        if trial is None:
            return
        self.losses[trial] += 1
        if self.losses[trial] <= LOSSES:
            self.waiting.appendleft(trial)
        else:
            del self.specs[trial]

    def news(self) -> News:
        """What happened since this was asked last."""
        ended, self.ended = self.ended, []
        return News(ended, len(self.running), len(self.specs))
