"""Axes of learning rates and losses, axes without data, and the legend below a figure."""

import math

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from analysis.formats import rate
from analysis.plots.labels import elided, short
from analysis.plots.style import LETTER, LOOK

ALONE = 3.0  # factor: the range of an axis with one learning rate on each side of it
LINE = 0.15  # inches: height of a line of a legend
COLUMN_OF_LEGEND = 0.48  # inches: what a column of a legend needs besides its letters


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


def log_axis(axes: Axes) -> None:
    """A logarithmic vertical axis with plain numbers; typeset powers take many times as long to draw."""
    axes.set_yscale("log")
    axis = axes.yaxis
    low, high = axes.get_ylim()
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def show_text(axes: Axes, text: str) -> None:
    """A text in place of axes that have nothing to show."""
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="0.35")


def legend_below(figure: Figure, *several: Axes) -> None:
    """The legend of some axes below them, in as many columns as fit, where it covers no line, band or label.

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
