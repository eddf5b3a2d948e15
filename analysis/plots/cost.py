"""What an arm costs against what it gains."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.plots.style import COLUMN, legend_below, marks, metric_name, named, styled


@styled
def cost_against_score(scores: pd.DataFrame, costs: pd.DataFrame, trials: pd.DataFrame) -> Figure:
    """Test score at the chosen learning rate, with Student's 95% interval, over seconds per epoch.

    scores: of `scores_at`; costs: of `cost`; trials: of the case to draw; arms without a learned trial have
    no cost and are left out.
    """
    style = marks(list(trials["arm"].unique()))
    scores = scores[scores["case"].isin(trials["case"])]
    table = scores.merge(costs[["case", "arm", "seconds_per_epoch"]], on=["case", "arm"])
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
    axes.set_xlabel("seconds per epoch (median)")
    axes.set_ylabel(f"test {metric_name(trials)}")
    legend_below(figure, axes)
    return figure
