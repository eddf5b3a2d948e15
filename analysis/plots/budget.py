"""The expected best score of a budget of trials."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.plots.axes import legend_below, log_axis
from analysis.plots.labels import metric_name, named
from analysis.plots.style import COLUMN, band, marks, styled
from analysis.prepare import one_case, takes_trials
from analysis.statistics.budget import expected_best


@takes_trials
@styled
def budget_curve(trials: pd.DataFrame, case: str | None = None) -> Figure:
    """Expected best validation score of n random trials of each arm, in one case."""
    trials = one_case(trials, case)
    table = expected_best(trials)
    figure = Figure((COLUMN, 2.4), layout="constrained")
    axes = figure.subplots()
    style = marks(list(trials["arm"].unique()))
    for arm, mark in style.items():
        rows = table[table["arm"] == arm]
        every = max(1, len(rows) // 8)
        axes.fill_between(rows["n"], rows["low"], rows["high"], **band(mark, style, 0.08))
        axes.plot(rows["n"], rows["best"], label=named(arm), markevery=every, **mark.line())
    if len(table) and (table["low"] > 0).all() and trials["metric_goal"].iloc[0] != "max":
        log_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("trials drawn at random from those run")
    axes.set_ylabel(f"expected best\nvalidation {metric_name(trials)}")
    legend_below(figure, axes)
    return figure
