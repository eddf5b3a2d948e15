"""Arms, or schedules, by learning rate."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from analysis.formats import rate
from analysis.plots.style import LONGEST_NAME, NOTHING_LEARNED, PAGE, elided, in_words, short, styled
from analysis.prepare import one_case, takes_trials
from analysis.statistics.failure import failure_rates


@takes_trials
@styled
def heat_maps(trials: pd.DataFrame, rows: str = "arm", case: str | None = None) -> Figure:
    """Failed trials and median loss for each of `rows` (arm or schedule) and learning rate, in one case.

    Arms without a schedule have no row among schedules.
    """
    trials = one_case(trials, case).dropna(subset=rows)
    names = list(trials[rows].unique())
    figure = Figure((PAGE, 1.0 + 0.24 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    rates = failure_rates(trials, [rows, "lr"])
    texts = rates.assign(text=rates["failed"].astype(str) + "/" + rates["n"].astype(str))
    _cells(left, rates, names, rows, "rate", texts, Normalize(0, 1), "share of failed trials")
    if trials["failed"].all():
        in_words(right, NOTHING_LEARNED)
        return figure
    medians = trials.groupby([rows, "lr"], sort=False)["loss"].median().reset_index()
    texts = medians.assign(text=medians["loss"].map(short))
    positive = medians["loss"][medians["loss"] > 0]
    spread = len(positive) == len(medians) and positive.max() > positive.min()  # all > 0, not all equal
    norm = LogNorm(positive.min(), positive.max()) if spread else _even(medians["loss"])
    _cells(right, medians, names, rows, "loss", texts, norm, "median validation loss")
    return figure


def _even(values: pd.Series) -> Normalize:
    """A scale for values that are not all positive; where all are equal they get its middle."""
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
    many = len(rates) > 12
    for (row, column), number in np.ndenumerate(grid.to_numpy(float)):
        if np.isfinite(number) and not many:
            dark = float(norm(number)) > 0.55
            color = "white" if dark else "black"
            axes.text(column, row, labels.iat[row, column], ha="center", va="center", fontsize=6, color=color)
    step = -(-len(rates) // 8)
    axes.set_xticks(range(0, len(rates), step), [rate(each) for each in rates[::step]])
    axes.set_yticks(range(len(names)), [elided(str(name), LONGEST_NAME) for name in names])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("learning rate")
    axes.set_title(title, loc="left")
