"""Events of the trials of a run, as they happen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """A trial that has just been recorded.

    Attributes:
        val_metric, metric_goal: The score of the trial, None if it has none; "min" or "max".
    """

    id: str
    outcome: str
    val_metric: float | None = None
    metric_goal: str | None = None


@dataclass(frozen=True)
class News:
    """Events since the last look: the trials that ended, and the number that are running now.

    Attributes:
        lost: Why workers were lost, a line for each.
    """

    ended: list[Ended]
    running: int
    lost: tuple[str, ...] = ()
