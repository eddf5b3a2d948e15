"""What a study declares beforehand: the smallest effects that matter, and published values to show beside ours."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Published:
    """A value that somebody published for an arm: shown beside ours, never used."""

    arm: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class Stated:
    """What a study declares beforehand.

    Attributes:
        failure_rate: Smallest difference of failure rates that matters, a share of trials; None if it names none.
        score: Smallest difference of test scores that matters, a share of the control's mean; None if it names none.
        published: Values of others, shown beside ours.
    """

    failure_rate: float | None = None
    score: float | None = None
    published: tuple[Published, ...] = field(default=())


def read_stated(config: dict[str, Any]) -> Stated:
    """The declarations in the content of a study.yaml; missing or invalid ones are left out."""
    bounds = config.get("equivalence")
    bounds = bounds if isinstance(bounds, dict) else {}
    entries = config.get("published")
    published = (
        tuple(_published(entry) for entry in entries if _is_published(entry))
        if isinstance(entries, list)
        else ()
    )
    return Stated(_bound(bounds.get("failure_rate")), _bound(bounds.get("score")), published)


def _bound(value: Any) -> float | None:
    return float(value) if _is_number(value) and value > 0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_published(entry: Any) -> bool:
    return isinstance(entry, dict) and {"arm", "metric", "value"} <= set(entry) and _is_number(entry["value"])


def _published(entry: dict[str, Any]) -> Published:
    return Published(
        str(entry["arm"]), str(entry["metric"]), float(entry["value"]), str(entry.get("source") or "–")
    )
