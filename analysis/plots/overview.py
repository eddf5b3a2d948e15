"""The finding in one figure: a row for each case."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.formats import points
from analysis.plots.axes import legend_below, show_text
from analysis.plots.labels import elided
from analysis.plots.rates import draw_failure_rate, draw_loss
from analysis.plots.style import PAGE, Mark, marks, small, styled_wide
from analysis.prepare import takes_trials
from analysis.statistics.paired import paired_failures

MOST_CASES = 6
TICKS = 1.6  # learning rates no closer than 1/TICKS of an axis, for large letters on a narrow one
LONGEST_BESIDE = 18  # letters of an arm beside its line; the legend has the full name


@takes_trials
@styled_wide
def overview(trials: pd.DataFrame, contrasts: pd.DataFrame | None = None) -> Figure:
    """Failures and losses along the learning rate, and the paired difference of failure rates from the control.

    Args:
        contrasts: Result of `paired_failures`, computed if None. The first six cases are drawn.
    """
    contrasts = paired_failures(trials) if contrasts is None else contrasts
    contrasts = contrasts.reindex(columns=contrasts.columns.union(["case"]))
    cases = list(trials["case"].unique())[:MOST_CASES]
    style = marks(list(trials["arm"].unique()))
    tall = max(2.4, 0.9 + 0.19 * len(style))  # a line of the forest for each arm
    figure = Figure((PAGE, 0.1 + tall * len(cases)), layout="constrained")
    for row, case in zip(figure.subplots(len(cases), 3, squeeze=False), cases, strict=True):
        mine = trials[trials["case"] == case]
        present = {arm: mark for arm, mark in style.items() if arm in set(mine["arm"])}
        draw_failure_rate(row[0], mine, present, ticks=TICKS)
        draw_loss(row[1], mine, present, ticks=TICKS)
        _forest(row[2], contrasts[contrasts["case"] == case], present)
        row[0].set_title(case, loc="left", fontweight="bold")
    legend_below(figure, *figure.axes[::3])
    return figure


def _forest(axes: Axes, contrasts: pd.DataFrame, style: dict[str, Mark]) -> None:
    """Differences with their intervals, one line per arm; left of the line fewer failures than the control."""
    if contrasts.empty or contrasts["difference"].isna().all():
        show_text(axes, "no pairs of an arm\nand a control")
        return
    for row, contrast in enumerate(contrasts.itertuples()):
        mark = style[contrast.arm]
        if not contrast.pairs:
            axes.text(0, row, "no pair", ha="center", va="center", fontsize=small(), color="0.35",
                      bbox={"color": "white", "pad": 1})  # fmt: skip
            continue
        axes.plot([contrast.low, contrast.high], [row, row], color=mark.color, linewidth=0.9)
        axes.plot(
            contrast.difference, row, marker=mark.marker, color=mark.color, markeredgewidth=0, markersize=5
        )
    axes.axvline(0, color="0.45", linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(contrasts)), [elided(arm, LONGEST_BESIDE) for arm in contrasts["arm"]])
    axes.set_ylim(len(contrasts) - 0.4, -0.6)
    reach = float(np.nanmax(np.abs(contrasts[["low", "high"]].to_numpy(float)))) * 1.08
    axes.set_xlim(-reach, reach)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(lambda value, _: points(value) if abs(value) > 1e-9 else "0")
    axes.tick_params(axis="y", length=0)
    control = elided(contrasts["control"].iloc[0], LONGEST_BESIDE)
    axes.set_xlabel(f"failures minus\n{control} (points)")
