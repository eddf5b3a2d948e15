"""Which learning rates a searched study tries: a pure function of its config.

A sampler sees the learning rates drawn so far and never a result. One that used results would draw other learning
rates for each arm: the arms would no longer be compared in pairs, the expected best of n trials would not hold for
draws that depend on each other, and the ids of the trials would not follow from the config.
"""

import math
import random
from collections.abc import Callable, Sequence
from inspect import isclass
from typing import Protocol, cast

from study.search.settings import Search
from trainables.errors import BadInput, nearest, raised_at
from trainables.registry import imported


class Sampler(Protocol):
    """What `search.sampler: package.module:Class` must name: a class that is called as `Class(low, high, seed)`.

    The same bounds, seed and earlier draws must give the same learning rate, in any process.

    Args:
        low, high: Bounds of the learning rate, both above zero.
        seed: The study's `search.seed`.
    """

    def ask(self, drawn: Sequence[float]) -> float:
        """The next learning rate.

        Args:
            drawn: The learning rates drawn so far, in order; empty at first.

        Returns:
            A learning rate between the bounds, ends included.
        """
        ...


class Random:
    """Draws uniform in the logarithm of the learning rate, independent of each other."""

    def __init__(self, low: float, high: float, seed: int) -> None:
        self.low, self.high, self.seed = math.log(low), math.log(high), seed

    def ask(self, drawn: Sequence[float]) -> float:
        """The next learning rate; depends only on how many were drawn."""
        # Python guarantees that `random()` gives the same numbers for a seed in all of its versions.
        place = random.Random(f"{self.seed}/{len(drawn)}").random()
        return math.exp(self.low + place * (self.high - self.low))


def draw_rates(search: Search) -> list[float]:
    """The learning rates of a searched study, in the order in which they were drawn.

    Args:
        search: The block of the config.

    Returns:
        `search.trials` learning rates with four digits. A larger number begins with the same learning rates.

    Raises:
        BadInput: If the sampler is not such a class, fails, or proposes a learning rate outside the bounds.
    """
    low, high = search.lr.log
    make = _class_of(search.sampler)
    rates: list[float] = []
    try:
        sampler = make(low, high, search.seed)
        while len(rates) < search.trials:
            rates.append(_checked(sampler.ask(tuple(rates)), search))
    except BadInput:
        raise
    except Exception as error:  # a user's class may raise anything
        raise BadInput(f"search.sampler: '{search.sampler}' fails: {raised_at(error)}") from error
    return rates


def _class_of(name: str) -> Callable[[float, float, int], Sampler]:
    if name == "random":
        return Random
    if ":" not in name:
        raise BadInput(
            f"search.sampler: unknown sampler '{name}'; {nearest(name, ['random'])}, or package.module:Class"
        )
    found = imported(name, "search.sampler")
    if not isclass(found) or not callable(getattr(found, "ask", None)):
        raise BadInput(
            f"search.sampler: '{name}' is not a class with a method `ask`; see study.search.samplers"
        )
    return cast("Callable[[float, float, int], Sampler]", found)


def _checked(rate: object, search: Search) -> float:
    """A proposed learning rate, rounded to four digits like those of a grid."""
    low, high = search.lr.log
    try:
        value = math.nan if isinstance(rate, bool | str) else float(rate)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not low <= value <= high:
        raise BadInput(
            f"search.sampler: '{search.sampler}' proposes {rate!r}, which is not a learning rate from {low:g} to "
            f"{high:g}; let `ask` return one within search.lr"
        )
    return min(max(float(f"{value:.4g}"), low), high)
