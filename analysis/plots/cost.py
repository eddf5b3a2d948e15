"""The cost of an arm against its gain."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.plots.axes import legend_below
from analysis.plots.labels import metric_name, named
from analysis.plots.style import COLUMN, marks, styled
from analysis.prepare import one_case, takes_trials
from analysis.statistics.best_setting import scores_at
from analysis.statistics.cost import cost


@takes_trials
@styled
def cost_against_score(
    trials: pd.DataFrame, rates: pd.DataFrame | None = None, case: str | None = None
) -> Figure:
    """Test score at each arm's learning rate, with Student's 95% interval, over CPU seconds per epoch, in one case.

    Wall seconds if processor seconds were not measured.

    Args:
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None. Arms without a learned
            trial have no cost and are left out.
    """
    trials = one_case(trials, case)
    style = marks(list(trials["arm"].unique()))
    table = scores_at(trials, rates).merge(
        cost(trials)[["case", "arm", "unit", "seconds_per_epoch"]], on=["case", "arm"]
    )
    figure = Figure((COLUMN, 2.4), layout="constrained")
    axes = figure.subplots()
    for row in table.itertuples():
        mark = style[row.arm]
        axes.plot([row.seconds_per_epoch] * 2, [row.low, row.high], color=mark.color, linewidth=1)
        axes.plot(
            row.seconds_per_epoch,
            row.mean,
            label=named(row.arm),
            **mark.line() | {"linestyle": "", "markersize": 6},
        )
    axes.set_xlim(0, 1.15 * table["seconds_per_epoch"].max())
    axes.set_xlabel(f"{table['unit'].iloc[0]} seconds per epoch (median)")
    axes.set_ylabel(f"test {metric_name(trials)}")
    legend_below(figure, axes)
    return figure
