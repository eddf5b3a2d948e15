"""Every figure of a report of 25 arms is readable: no label and no legend overlaps anything else."""

from itertools import pairwise

import matplotlib as mpl
import pytest

from analysis.figures import make_pictures
from analysis.load import load_history, load_trials
from analysis.plots.style import LOOK
from analysis.prepare import prepare
from analysis.statistics.best_setting import choose_rates, scores_at
from analysis.statistics.cost import cost
from analysis.statistics.paired import paired_failures
from analysis.statistics.profiles import performance_profiles
from analysis.tables import Table

ARMS = {"strict": {"name": "strict"}} | {
    f"cosine-norm-{n:02d}": {"name": "relaxed", "schedule": ("triangle", "cosine")[n % 2], "n": n}
    for n in range(1, 25)
}


@pytest.fixture
def figures(study, monkeypatch):
    """Every figure of a report, laid out."""
    drawn = []
    monkeypatch.setattr("analysis.figures.figure_files", lambda figure: drawn.append(figure) or {})
    folder = study(arms=ARMS, seeds=2, rates=[1e-3, 3.162e-3, 1e-2, 1e-1], epochs=4)
    trials = prepare(load_trials(folder))
    frames = {
        "failure_contrasts": paired_failures(trials, "strict").assign(case=trials["case"].iloc[0]),
        "best_setting": scores_at(trials, choose_rates(trials)),
        "cost": cost(trials),
        "performance_profiles": performance_profiles(trials),
    }
    tables = {name: Table(name, "", "", frame, {}) for name, frame in frames.items()}
    problems = [picture.problem for picture in make_pictures(trials, load_history(folder), tables)]
    assert not any(problems)
    with mpl.rc_context(LOOK):
        for figure in drawn:
            figure.draw_without_rendering()
    return drawn


def test_twenty_five_arms_are_readable(figures):
    assert len(figures) >= 10
    for figure in figures:
        drawn = [axes for axes in figure.axes if axes.axison]
        assert all(axes.get_legend() is None for axes in drawn)  # it would cover lines
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert len(legend.get_texts()) == len(ARMS)
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1
            assert not any(box.overlaps(axes.get_tightbbox()) for axes in drawn)
        for axes in drawn:
            assert axes.get_window_extent().height > 0.08 * figure.bbox.height
            for axis in (axes.xaxis, axes.yaxis):
                _labels_are_apart(axis)


def _labels_are_apart(axis):
    low, high = sorted(axis.get_view_interval())
    shown = [
        tick.label1.get_window_extent()
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text()
    ]
    side = "x" if axis.axis_name == "x" else "y"
    spans = sorted((getattr(box, f"{side}0"), getattr(box, f"{side}1")) for box in shown)
    assert all(below[1] <= above[0] + 0.5 for below, above in pairwise(spans))
