"""Arms, or schedules, by learning rate."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from analysis.formats import rate
from analysis.plots.axes import show_text
from analysis.plots.labels import LONGEST_NAME, NOTHING_LEARNED, elided, short
from analysis.plots.style import COLUMN, LETTER, styled
from analysis.prepare import one_case, takes_trials
from analysis.statistics.failure import failure_rates

MOST_TALL = 8  # up to this many rows are taller than their text needs
MARGIN = 0.25  # inches: what a figure needs besides its names and cells
WIDEST_TEXT, WIDEST_RATE = 0.27, 0.36  # inches: the text of a cell, such as 8.9e-3, and of a learning rate


@takes_trials
@styled
def heat_maps(trials: pd.DataFrame, rows: str = "arm", case: str | None = None) -> Figure:
    """Failed trials and median loss for each of `rows` (arm or schedule) and learning rate, in one case.

    Arms without a schedule have no row among schedules.
    """
    trials = one_case(trials, case).dropna(subset=rows)
    names = list(trials[rows].unique())
    tall = 0.24 if len(names) <= MOST_TALL else 0.16  # inches: a line of cells
    figure = Figure((COLUMN, 1.6 + 2 * tall * len(names)), layout="constrained")
    above, below = figure.subplots(2, 1)
    rates = failure_rates(trials, [rows, "lr"])
    texts = rates.assign(text=rates["failed"].astype(str) + "/" + rates["n"].astype(str))
    _cells(above, rates, names, rows, "rate", texts, Normalize(0, 1), "share of failed trials")
    if trials["failed"].all():
        show_text(below, NOTHING_LEARNED)
        return figure
    medians = trials.groupby([rows, "lr"], sort=False)["loss"].median().reset_index()
    texts = medians.assign(text=medians["loss"].map(short))
    positive = medians["loss"][medians["loss"] > 0]
    spread = len(positive) == len(medians) and positive.max() > positive.min()  # all > 0, not all equal
    norm = LogNorm(positive.min(), positive.max()) if spread else _even(medians["loss"])
    _cells(below, medians, names, rows, "loss", texts, norm, "median validation loss")
    return figure


def _even(values: pd.Series) -> Normalize:
    """A scale for values that are not all positive; if all are equal, they get its middle."""
    low, high = values.min(), values.max()
    return Normalize(low, high) if low < high else Normalize(low - 1, low + 1)


def _cells(
    axes: Axes,
    table: pd.DataFrame,
    names: list[str],
    rows: str,
    value: str,
    texts: pd.DataFrame,
    norm: Normalize,
    title: str,
) -> None:
    rates = sorted(table["lr"].unique())
    grid = table.pivot(index=rows, columns="lr", values=value).reindex(index=names, columns=rates)
    labels = texts.pivot(index=rows, columns="lr", values="text").reindex(index=names, columns=rates)
    axes.imshow(grid, cmap="cividis_r", norm=norm, aspect="auto")
    cell = (COLUMN - MARGIN - LETTER * min(LONGEST_NAME, max(map(len, map(str, names))))) / len(rates)
    for (row, column), number in np.ndenumerate(grid.to_numpy(float)):
        if np.isfinite(number) and cell > WIDEST_TEXT:
            dark = float(norm(number)) > 0.55
            color = "white" if dark else "black"
            axes.text(column, row, labels.iat[row, column], ha="center", va="center", fontsize=6, color=color)
    step = math.ceil(WIDEST_RATE / cell)
    axes.set_xticks(range(0, len(rates), step), [rate(each) for each in rates[::step]])
    axes.set_yticks(range(len(names)), [elided(str(name), LONGEST_NAME) for name in names])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("learning rate")
    axes.set_title(title, loc="left")
