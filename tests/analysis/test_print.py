"""Each figure is readable when printed in gray, 8.5 cm wide: letters of 5 points, arms distinct without color."""

from itertools import pairwise

import matplotlib as mpl
import pytest
from matplotlib.text import Text

from analysis.figures import make_pictures
from analysis.load import load_history, load_trials
from analysis.plots.labels import metric_name
from analysis.plots.style import LOOK, marks
from analysis.prepare import prepare
from analysis.tables import make_tables

PRINTED = 8.5 / 2.54  # inches
SMALLEST = 5.0  # points
GAP = 5  # pixels between two labels of an axis
RATES = [1e-4, 3.162e-4, 1e-3, 3.162e-3, 1e-2, 3.162e-2, 1e-1]
ARMS = {"strict": {"name": "strict"}} | {
    f"arm-{number:02d}": {"name": "relaxed", "schedule": "triangle", "number": number}
    for number in range(1, 25)
}

FEW_ARMS = {"strict": {"name": "strict"}, "as-long-as-is-shown": {"name": "unconstrained"}}


@pytest.fixture(params=["few arms", "many arms"])
def figures(request, study, monkeypatch):
    """Every figure of a report, laid out, by its name."""
    drawn = []
    monkeypatch.setattr("analysis.figures.figure_files", lambda figure: drawn.append(figure) or {})
    arms = ARMS if request.param == "many arms" else FEW_ARMS
    folder = study(seeds=2, rates=RATES, epochs=4, arms=arms)
    trials, histories = prepare(load_trials(folder)), load_history(folder)
    pictures = list(make_pictures(trials, histories, make_tables(trials, histories)))
    with mpl.rc_context(LOOK):
        for figure in drawn:
            figure.draw_without_rendering()
    return {picture.name.split("-")[0]: figure for picture, figure in zip(pictures, drawn, strict=True)}


def test_figures_can_be_read_in_gray_in_one_column(figures):
    assert len(figures) >= 10
    for name, figure in figures.items():
        scale = PRINTED / figure.get_figwidth()
        texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
        assert min(text.get_fontsize() for text in texts) * scale >= SMALLEST, name
        drawn = [axes for axes in figure.axes if axes.axison]
        labels = [label for axes in drawn for label in (axes.xaxis.label, axes.yaxis.label)]
        boxes = [label.get_window_extent() for label in labels if label.get_text()]
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes), name
        for axes in drawn:
            places = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
            places.sort(key=lambda box: box.x0)
            flat = all(label.get_rotation() == 0 for label in axes.get_xticklabels())
            assert not flat or all(one.x1 + GAP < next.x0 for one, next in pairwise(places)), name
        for legend in figure.legends:
            lines = legend.get_lines()
            assert len({(line.get_marker(), line.get_fillstyle()) for line in lines}) == len(lines), name


def test_arms_differ_in_more_than_color():
    found = marks([str(number) for number in range(32)]).values()
    assert len({(mark.marker, mark.fill) for mark in found}) == 32  # of points
    assert len({(mark.marker, mark.linestyle) for mark in found}) == 32  # of lines


@pytest.mark.parametrize(
    ("task", "name", "label"),
    [
        ("forces", "force_mae", "force MAE (meV/Å)"),
        ("nbody", "mse", "MSE (length²)"),
        ("pointclouds", "accuracy", "accuracy"),
        ("mypackage.module:Task", "mse", "MSE"),
    ],
)
def test_metrics_have_their_units_on_axes(task, name, label, study):
    trials = prepare(load_trials(study(seeds=1, rates=[1e-3])))
    assert metric_name(trials.assign(task=task, metric=name)) == label
