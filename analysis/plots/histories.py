"""Curves over the course of training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.plots.axes import legend_below, log_axis
from analysis.plots.labels import metric_name, named
from analysis.plots.style import COLUMN, Mark, band, marks, styled
from analysis.prepare import one_case, takes_trials
from analysis.statistics.best_setting import at_chosen_rates

MOST_EPOCHS = 200


@takes_trials
@styled
def training_curves(
    trials: pd.DataFrame,
    histories: pd.DataFrame,
    rates: pd.DataFrame | None = None,
    case: str | None = None,
) -> Figure:
    """Validation metric by epoch, median and quartiles over seeds of each arm, above the theta that it trained with.

    In one case, each arm at one learning rate. histories: of `analysis.load_history`; rates: case, arm, lr, those
    chosen on validation if None. Trials that stopped early count for the epochs they reached.
    """
    trials = at_chosen_rates(one_case(trials, case), rates)
    style = marks(list(trials["arm"].unique()))
    figure = Figure((COLUMN, 3.1), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _draw(above, trials, histories, "val_metric", style)
    _draw(below, trials, histories, "theta", style)
    above.set_ylabel(f"validation {metric_name(trials)}")
    legend_below(figure, above)
    below.set_ylabel("theta")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


@takes_trials
@styled
def equivariance_curves(
    trials: pd.DataFrame,
    histories: pd.DataFrame,
    rates: pd.DataFrame | None = None,
    case: str | None = None,
) -> Figure:
    """Equivariance error of the model in training by epoch, median and quartiles over seeds of each arm.

    Arguments as in `training_curves`.
    """
    trials = at_chosen_rates(one_case(trials, case), rates)
    figure = Figure((COLUMN, 2.4), layout="constrained")
    axes = figure.subplots()
    _draw(axes, trials, histories, "equivariance_error", marks(list(trials["arm"].unique())))
    axes.set_ylabel("relative equivariance error")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend_below(figure, axes)
    return figure


def _draw(
    axes: Axes, trials: pd.DataFrame, histories: pd.DataFrame, value: str, style: dict[str, Mark]
) -> None:
    """Median and quartiles of a history column for each arm, at 200 epochs at most."""
    if value not in histories:
        return
    arms = trials.drop_duplicates("trial").set_index("trial")["arm"]
    data = histories[["trial", "epoch", value]].assign(arm=histories["trial"].astype(object).map(arms))
    data = data[np.isfinite(data[value])]
    epochs = np.sort(data["epoch"].unique())
    if len(epochs) > MOST_EPOCHS:
        data = data[data["epoch"].isin(epochs[np.linspace(0, len(epochs) - 1, MOST_EPOCHS).astype(int)])]
    quantiles = data.groupby(["arm", "epoch"], observed=True)[value].quantile([0.25, 0.5, 0.75]).unstack()
    for arm, mark in style.items():
        if arm not in quantiles.index.get_level_values("arm"):
            continue
        rows = quantiles.loc[arm]
        axes.fill_between(rows.index, rows[0.25], rows[0.75], **band(mark, style))
        axes.plot(rows.index, rows[0.5], label=named(arm), markevery=max(1, len(rows) // 6), **mark.line())
    if value != "theta" and len(quantiles) and (quantiles[0.25] > 0).all():
        log_axis(axes)
