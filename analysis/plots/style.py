"""The look of every figure: widths of a paper's columns, colors and marks for gray print and color-blindness."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.typing import FillStyleType

COLUMN = 3.4  # inches: one column of a two-column page
PAGE = 7.0  # inches: the whole width of the page
LETTER = 0.058  # inches: width of a letter of a legend

LOOK: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "svg.hashsalt": "equivariance-study",
    "text.parse_math": False,  # a dollar in the name of an arm is a dollar
}
# A full-width figure that is printed in one column, 8.5 cm wide, still has letters of 5 points.
WIDE_LOOK = LOOK | {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "lines.markersize": 5.5,
    "lines.linewidth": 1.6,
}
# Okabe and Ito's colors, ordered so that neighbors differ in lightness as well.
COLORS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
FILLS: tuple[FillStyleType, ...] = ("full", "none", "left", "bottom")
DASHES = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (3, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
    (0, (7, 1, 1, 1)),
)


@dataclass(frozen=True)
class Mark:
    """How one arm is drawn, the same in every figure."""

    color: str
    marker: str
    linestyle: str | tuple
    fill: FillStyleType = "full"

    def line(self) -> dict[str, Any]:
        """The options of a line with markers."""
        edge = 0 if self.fill == "full" else 0.8
        look = {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}
        return {**look, "fillstyle": self.fill, "markeredgewidth": edge}


def marks(arms: list[str]) -> dict[str, Mark]:
    """A mark for each arm, in order; the first, usually the control, is black and solid."""
    return {
        arm: Mark(
            COLORS[index % len(COLORS)],
            MARKERS[(index + index // len(MARKERS)) % len(MARKERS)],
            DASHES[(index + 2 * (index // len(DASHES))) % len(DASHES)],
            FILLS[index // len(MARKERS) % len(FILLS)],
        )
        for index, arm in enumerate(arms)
    }


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make a drawing function use the look of this file, whatever the caller's settings are."""
    return _under(LOOK, draw)


def styled_wide(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """The same for a figure over the whole width of a page."""
    return _under(WIDE_LOOK, draw)


def _under(look: dict[Any, Any], draw: Callable[..., Figure]) -> Callable[..., Figure]:
    @wraps(draw)
    def drawn(*arguments: object, **options: object) -> Figure:
        with mpl.rc_context(look):
            return draw(*arguments, **options)

    return drawn


def small() -> float:
    """The size of the smallest letters of a figure, in points."""
    return float(mpl.rcParams["xtick.labelsize"])


def veil(alpha: float, arms: int) -> float:
    """The opacity of one of many bands or intervals: lower above four arms, since overlapping ones add up."""
    return alpha * min(1.0, 4 / max(arms, 1))


def band(mark: Mark, style: dict[str, Mark], alpha: float = 0.15) -> dict[str, Any]:
    """The options of the band of one of the arms of `style`."""
    return {"color": mark.color, "alpha": veil(alpha, len(style)), "linewidth": 0}
