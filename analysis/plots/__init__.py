"""Figures of the trials: each function returns a matplotlib Figure.

Each takes the table of `analysis.load_trials` as it is (or of `analysis.prepare.prepare`, or a part of that):

    from analysis import load_trials, plots

    plots.failure_rate(load_trials("results/my-study")).savefig("failure_rate.pdf")

A figure of one case requires `case=` if the table has several; if it is left out, the error names them.

    overview             failures, losses and differences from the control, a row for each case
    failure_rate         failed trials against the learning rate, with fitted curves
    loss_against_rate    median loss against the learning rate, with quartiles
    heat_maps            arms, or schedules, by learning rate
    seed_spread          test score of every seed at the chosen learning rate
    budget_curve         expected best of n trials
    cost_against_score   test score against seconds per epoch
    training_curves      validation metric and theta by epoch; also takes the table of `analysis.load_history`
    equivariance_curves  equivariance error by epoch; also takes that table
    profile_curves       the whole distribution of scores, over all cases
    figure_files         a figure as svg, pdf and png; the same figure gives the same bytes
"""

from analysis.plots.budget import budget_curve
from analysis.plots.cost import cost_against_score
from analysis.plots.files import figure_files
from analysis.plots.heatmaps import heat_maps
from analysis.plots.histories import equivariance_curves, training_curves
from analysis.plots.overview import overview
from analysis.plots.profiles import profile_curves
from analysis.plots.rates import failure_rate, loss_against_rate
from analysis.plots.seeds import seed_spread

__all__ = [
    "budget_curve",
    "cost_against_score",
    "equivariance_curves",
    "failure_rate",
    "figure_files",
    "heat_maps",
    "loss_against_rate",
    "overview",
    "profile_curves",
    "seed_spread",
    "training_curves",
]
