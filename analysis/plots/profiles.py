"""Performance profiles: the whole distribution of scores of each arm."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.plots.axes import legend_below
from analysis.plots.labels import named
from analysis.plots.style import COLUMN, band, marks, styled
from analysis.prepare import takes_trials
from analysis.statistics.profiles import performance_profiles


@takes_trials
@styled
def profile_curves(trials: pd.DataFrame) -> Figure:
    """Share of each arm's trials whose skill exceeds each level, over all cases that every arm has.

    The higher the better; see `performance_profiles`.
    """
    profiles = performance_profiles(trials)
    figure = Figure((COLUMN, 2.4), layout="constrained")
    axes = figure.subplots()
    style = marks(list(profiles["arm"].unique()))
    for arm, mark in style.items():
        rows = profiles[profiles["arm"] == arm]
        axes.fill_between(rows["level"], rows["low"], rows["high"], **band(mark, style))
        axes.plot(rows["level"], rows["share"], label=named(arm), markevery=8, **mark.line())
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("skill (0: trivial predictor, 1: best trial)")
    axes.set_ylabel("trials above this skill")
    legend_below(figure, axes)
    return figure
