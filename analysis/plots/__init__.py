"""Figures: each function takes a prepared table and returns a matplotlib Figure."""

from matplotlib.figure import Figure

from analysis.plots.budget import budget_curve
from analysis.plots.cost import cost_against_score
from analysis.plots.heatmaps import heat_maps
from analysis.plots.histories import equivariance_curves, training_curves
from analysis.plots.overview import overview
from analysis.plots.profiles import profile_curves
from analysis.plots.rates import failure_rate, loss_against_rate
from analysis.plots.seeds import seed_spread
from analysis.plots.style import figure_files

__all__ = [
    "Figure",
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
