"""The intervals of a refined study that are still wider than requested."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.statistics.precision import LEAST_PAIRS


@dataclass(frozen=True)
class Wide:
    """An interval that is wider than requested.

    Attributes:
        case, arm: Case and arm that the interval belongs to.
        interval: Edge (of LR50, in decades) or score (of the difference from the control, as a share of its mean).
        half_width: Its half-width; None if there are too few pairs for one.
        asked: The half-width to reach.
        pairs: Number of pairs with the control in which both learned; None for an edge.
    """

    case: str
    arm: str
    interval: Literal["edge", "score"]
    half_width: float | None
    asked: float
    pairs: int | None = None

    def line(self, with_case: bool) -> str:
        """The interval as human-readable text, with its case if `with_case`."""
        who = f"{self.case}, {self.arm}" if with_case else self.arm
        if self.interval == "edge":
            return f"{who}: LR50 known to within {self.half_width:.2g} decades, {self.asked:g} requested"
        if self.half_width is None:
            return f"{who}: too few pairs for a score ({self.pairs} of {LEAST_PAIRS}), {self.asked:.2%} requested"
        return (
            f"{who}: score known to within {self.half_width:.2%} of the control's, {self.asked:.2%} requested"
        )

    def as_json(self) -> dict[str, Any]:
        """The interval as `study status --json` prints it."""
        return asdict(self)


def wide_intervals(widths: pd.DataFrame, edge: float | None, score: float | None) -> list[Wide]:
    """The intervals that are wider than requested.

    Args:
        widths: Result of `precision`.
        edge: Half-width requested for LR50, in decades; None if there is no request.
        score: Half-width requested for the difference from the control, as a share of its mean; None likewise.

    Returns:
        The intervals of each arm in turn, its edge first.
    """
    found = []
    for row in widths.itertuples():
        if edge is not None and row.edge > edge:
            found.append(Wide(row.case, row.arm, "edge", float(row.edge), edge))
        if score is not None and row.score > score:
            half_width = float(row.score) if np.isfinite(row.score) else None
            found.append(Wide(row.case, row.arm, "score", half_width, score, int(row.pairs)))
    return found
