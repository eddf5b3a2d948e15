"""The look of every figure: widths of a paper's columns, colors and marks for grey print and color-blindness."""

import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from matplotlib.typing import FillStyleType

from analysis.formats import metric, metric_unit, rate

COLUMN = 3.4  # inches: one column of a two-column page
PAGE = 7.0  # inches: the whole width of the page
NOTHING_LEARNED = "no trial learned"
LONGEST = 80  # characters of a line of text
LONGEST_NAME = 32  # of an arm: a longer one leaves no room for its axes
ALONE = 3.0  # factor: what an axis of one learning rate shows on each side of it
LETTER, LINE = 0.058, 0.15  # inches: width of a letter and height of a line of a legend
COLUMN_OF_LEGEND = 0.48  # inches: what a column of a legend needs beside its letters

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
# A figure over the whole page that is printed in one column, 8.5 cm, still has letters of 5 points.
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
# Okabe and Ito's colors, ordered so that neighbours differ in lightness as well.
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
FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "png": {"pil_kwargs": {"compress_level": 4}},
}


@dataclass(frozen=True)
class Mark:
    """How one arm is drawn, everywhere the same."""

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
    """Let a drawing function work under the look of this file, whatever the caller's settings are."""
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
    """The size of the smallest letters of a figure, points."""
    return float(mpl.rcParams["xtick.labelsize"])


def rate_axis(axes: Axes, rates: list[float], most: float = 8) -> None:
    """A logarithmic learning-rate axis with ticks at rates of the grid, no closer than 1/`most` of its length."""
    axes.set_xscale("log")
    apart = math.log(rates[-1] / rates[0]) / most
    shown = rates[:1]
    for each in rates[1:]:
        if math.log(each / shown[-1]) >= apart:
            shown.append(each)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    margin = (rates[-1] / rates[0]) ** (0.5 / (len(rates) - 1)) if len(rates) > 1 else ALONE
    axes.set_xlim(rates[0] / margin, rates[-1] * margin)
    axes.set_xlabel("learning rate")


def in_words(axes: Axes, text: str) -> None:
    """What there is to say in place of axes that have nothing to show."""
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="0.35")


def log_axis(axes: Axes) -> None:
    """A logarithmic vertical axis with plain numbers; typeset powers take many times as long to draw."""
    axes.set_yscale("log")
    axis = axes.yaxis
    low, high = axes.get_ylim()
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """A loss of two digits, as 0.05 or 3.2e-4; '–' for none. Learning rates are written by `formats.rate`."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or 0.01 <= abs(value) < 100:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def veil(alpha: float, arms: int) -> float:
    """The opacity of one of many bands or intervals: above four arms less, for where all overlap they add up."""
    return alpha * min(1.0, 4 / max(arms, 1))


def band(mark: Mark, style: dict[str, Mark], alpha: float = 0.15) -> dict[str, Any]:
    """The options of the band of one of the arms of `style`."""
    return {"color": mark.color, "alpha": veil(alpha, len(style)), "linewidth": 0}


def legend_below(figure: Figure, *several: Axes) -> None:
    """The arms of some axes below them, in as many columns as fit, where no line, band or label can lie.

    The figure grows by the height of the legend, so that the axes keep theirs.
    """
    found: dict[str, Artist] = {}
    for axes in several:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if not found:
        return
    scale = mpl.rcParams["legend.fontsize"] / LOOK["legend.fontsize"]
    room = int((figure.get_figwidth() - scale * COLUMN_OF_LEGEND) / (scale * LETTER))
    labels = [elided(label, room) for label in found]
    column = scale * (COLUMN_OF_LEGEND + LETTER * max(map(len, labels)))
    columns = min(len(found), max(1, int(figure.get_figwidth() / column)))
    figure.set_figheight(figure.get_figheight() + scale * LINE * -(-len(found) // columns))
    figure.legend(
        list(found.values()),
        labels,
        loc="outside lower center",
        ncols=columns,
        handlelength=2.8,
        columnspacing=1.2,
    )


def metric_name(trials: pd.DataFrame) -> str:
    """The name of the judged metric as a label, with its unit where it has one that is known."""
    known = trials.dropna(subset="metric")
    if known.empty:
        return "metric"
    name, task = str(known["metric"].iloc[0]), str(known["task"].iloc[0])
    unit = metric_unit(name, task)
    return f"{metric(name)} ({unit})" if unit else metric(name)


def named(arm: str) -> str:
    """The name of an arm as a label; matplotlib leaves labels that begin with an underscore out of legends."""
    label = elided(arm, LONGEST_NAME)
    return f" {label}" if label.startswith("_") else label


def fitting(text: str) -> str:
    """The text without what no font draws, each line short enough for a figure."""
    lines = (
        "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in line)
        for line in text.split("\n")
    )
    return "\n".join(elided(line, LONGEST) for line in lines)


def elided(text: str, room: int) -> str:
    """The text, or as much of its beginning and end as `room` characters hold."""
    half = (room - 1) // 2
    return text if len(text) <= room else f"{text[: room - 1 - half]}…{text[len(text) - half :]}"


def figure_files(figure: Figure) -> dict[str, bytes]:
    """The figure as svg, pdf and png; the same figure gives the same bytes."""
    files = {}
    with mpl.rc_context(LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        for text in figure.findobj(Text):
            text.set_text(fitting(text.get_text()))
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine(None)  # laid out once for all formats
        for kind, options in FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **options)
            files[kind] = buffer.getvalue()
    return files
