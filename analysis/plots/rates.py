"""Failures and losses of each arm along the learning-rate axis."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.axes import legend_below, log_axis, rate_axis, show_text
from analysis.plots.labels import LONGEST_NAME, NOTHING_LEARNED, elided, named
from analysis.plots.style import COLUMN, Mark, band, marks, small, styled, veil
from analysis.prepare import one_case, takes_trials
from analysis.statistics.curves import loss_curve
from analysis.statistics.failure import failure_rates
from analysis.statistics.onset import failure_curve


@takes_trials
@styled
def failure_rate(trials: pd.DataFrame, case: str | None = None) -> Figure:
    """Share of failed trials against the learning rate with Wilson's 95% intervals, in one case."""
    trials = one_case(trials, case)
    figure = Figure((COLUMN, 2.5), layout="constrained")
    axes = figure.subplots()
    draw_failure_rate(axes, trials, marks(list(trials["arm"].unique())))
    legend_below(figure, axes)
    return figure


def draw_failure_rate(axes: Axes, trials: pd.DataFrame, style: dict[str, Mark], ticks: float = 8) -> None:
    """The rates of `failure_rate` on given axes, with the fitted curve of each arm and its band."""
    table = failure_rates(trials, ["arm", "lr"]).sort_values("lr")
    for arm, shift in zip(style, dodge(len(style), trials["lr"]), strict=True):
        rows = table[table["arm"] == arm]
        errors = np.clip([rows["rate"] - rows["low"], rows["high"] - rows["rate"]], 0, None)
        mark = style[arm]
        fit = failure_curve(*(rows[name].to_numpy(float) for name in ("lr", "failed", "n")))
        # A fitted curve already joins the points; straight lines between them would only cross it.
        joined = mark.linestyle if fit.empty else "none"
        axes.plot(rows["lr"] * shift, rows["rate"], **{**mark.line(), "linestyle": joined})
        axes.plot(fit["lr"], fit["chance"], color=mark.color, linestyle=mark.linestyle, linewidth=1.2)
        axes.plot([], [], label=named(arm), **mark.line())
        axes.fill_between(fit["lr"], fit["low"], fit["high"], **band(mark, style, 0.08))
        axes.errorbar(
            rows["lr"] * shift,
            rows["rate"],
            errors,
            fmt="none",
            ecolor=mark.color,
            elinewidth=0.5,
            alpha=veil(0.35, len(style)),
        )
    rate_axis(axes, sorted(trials["lr"].unique()), ticks)
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylabel("failed trials")


@takes_trials
@styled
def loss_against_rate(trials: pd.DataFrame, case: str | None = None) -> Figure:
    """Median loss against the learning rate with quartiles over seeds, in one case, below a strip of failures."""
    trials = one_case(trials, case)
    arms = list(trials["arm"].unique())
    figure = Figure((COLUMN, 2.4 + 0.14 * len(arms)), layout="constrained")
    strip, axes = figure.subplots(2, 1, sharex=True, height_ratios=[0.14 * len(arms) + 0.1, 2.0])
    draw_failure_strip(strip, trials, arms)
    draw_loss(axes, trials, marks(arms))
    legend_below(figure, axes)
    return figure


def draw_loss(axes: Axes, trials: pd.DataFrame, style: dict[str, Mark], ticks: float = 8) -> None:
    """The lines and bands of `loss_against_rate` on given axes; a text instead if every trial failed."""
    if trials["failed"].all():
        show_text(axes, NOTHING_LEARNED)
        return
    table = loss_curve(trials)
    for arm, mark in style.items():
        rows = table[table["arm"] == arm]
        axes.fill_between(rows["lr"], rows["q1"], rows["q3"], **band(mark, style))
        axes.plot(rows["lr"], rows["median"], label=named(arm), **mark.line())
    if (table["low"] > 0).all():
        log_axis(axes)
    start = trials["loss_at_init"].median()
    if np.isfinite(start):
        axes.axhline(start, color="0.45", linewidth=0.6, zorder=0)
        axes.annotate(
            "at initialization", (0.01, start), xycoords=("axes fraction", "data"), xytext=(0, 1.5),
            textcoords="offset points", fontsize=small(), color="0.35", va="bottom",
        )  # fmt: skip
    rate_axis(axes, sorted(trials["lr"].unique()), ticks)
    axes.set_ylabel("validation loss")


def draw_failure_strip(axes: Axes, trials: pd.DataFrame, arms: list[str]) -> None:
    """One row per arm with the number of failed trials at each learning rate, darker for a larger share."""
    table = failure_rates(trials, ["arm", "lr"])
    for row in table.itertuples():
        if row.failed:
            axes.text(
                row.lr, arms.index(row.arm), f"×{row.failed}", ha="center", va="center", fontsize=6,
                fontweight="bold" if row.rate > 0.5 else "normal", color="0.0" if row.rate > 0.5 else "0.35",
            )  # fmt: skip
    if not table["failed"].any():
        axes.text(
            0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, fontsize=6, color="0.35"
        )
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_yticks(range(len(arms)), [elided(arm, LONGEST_NAME) for arm in arms], fontsize=6)
    axes.tick_params(length=0, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_title("failed trials", fontsize=6.5, loc="left", pad=2)


def dodge(arms: int, rates: pd.Series) -> np.ndarray:
    """Factors that separate the arms' error bars a little on a logarithmic axis."""
    grid = np.sort(rates.unique())
    step = np.log(grid[-1] / grid[0]) / (len(grid) - 1) if len(grid) > 1 else 1.0
    return np.exp((np.arange(arms) - (arms - 1) / 2) * step * min(0.07, 0.5 / arms))
