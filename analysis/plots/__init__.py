"""Figures: each function takes a prepared table and returns a matplotlib Figure."""

from matplotlib.figure import Figure

from analysis.plots.heatmaps import heat_maps
from analysis.plots.overview import overview
from analysis.plots.rates import failure_rate, loss_against_rate
from analysis.plots.seeds import seed_spread
from analysis.plots.style import figure_files

__all__ = [
    "Figure",
    "failure_rate",
    "figure_files",
    "heat_maps",
    "loss_against_rate",
    "overview",
    "seed_spread",
]
