"""Figures with nothing to draw say so in text, and draw no empty axes."""

from dataclasses import replace

import numpy as np
import pytest

from analysis import plots
from analysis.figures import make_pictures
from analysis.load import load_history, load_trials
from analysis.plots.labels import NOTHING_LEARNED
from analysis.prepare import prepare
from analysis.statistics.paired import paired_failures
from analysis.tables import make_tables


@pytest.fixture
def drawn(monkeypatch):
    """Every figure in the report of a results folder, by its name."""

    def draw(folder):
        figures = []
        monkeypatch.setattr("analysis.figures.figure_files", lambda figure: figures.append(figure) or {})
        trials, histories = prepare(load_trials(folder)), load_history(folder)
        pictures = list(make_pictures(trials, histories, make_tables(trials, histories)))
        assert [picture.problem for picture in pictures] == [""] * len(figures)
        return {picture.name.split("-")[0]: figure for picture, figure in zip(pictures, figures, strict=True)}

    return draw


def all_failed(records):
    return [
        replace(record, outcome="failed", reason="diverged", val_metric=None, val_loss=None, test_metric=None)
        for record in records
    ]


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_if_no_trial_learned_no_loss_or_score_is_drawn(study, drawn):
    figures = drawn(study(seeds=2, rates=[1e-3, 1e-2], change=all_failed))
    assert set(figures) == {
        *("overview", "failure_rate", "heat_map_arms", "heat_map_schedules", "training", "equivariance")
    }
    for name, place in (("overview", 1), ("heat_map_arms", 1), ("heat_map_schedules", 1)):
        panel = figures[name].axes[place]
        assert words(panel) == [NOTHING_LEARNED]
        assert not panel.axison
        assert not panel.lines
        assert not panel.images
    assert figures["overview"].axes[0].axison


def test_if_no_trial_learned_none_has_skill(study):
    trials = prepare(load_trials(study(seeds=2, rates=[1e-3, 1e-2], change=all_failed)))
    assert (trials["skill"] == 0).all()


def test_one_learning_rate_is_drawn_as_one(study, drawn):
    axes = drawn(study(seeds=2, rates=[1e-3]))["failure_rate"].axes[0]
    low, high = np.log(axes.get_xlim())
    places = [np.log(x) for line in axes.lines for x in line.get_xdata()]
    assert len(places) >= 4
    assert max(places) - min(places) < 0.2 * (high - low)


def test_an_arm_without_a_pair_keeps_its_line_and_says_so(study):
    trials = prepare(load_trials(study(seeds=2, rates=[1e-3, 1e-2])))
    ace = trials["arm"] == "ace"
    trials = trials[ace == (trials["seed"] == 0)]
    contrasts = paired_failures(trials, "strict").assign(case=trials["case"].iloc[0])
    *_, forest = plots.overview(trials, contrasts).axes
    assert [label.get_text() for label in forest.get_yticklabels()] == ["triangle", "cosine", "ace"]
    (text,) = forest.texts
    assert (text.get_text(), text.get_position()[1]) == ("no pair", 2)


@pytest.mark.parametrize("at", [0, -1], ids=["first", "last"])
def test_a_failed_trial_does_not_squeeze_those_that_learned(study, at):
    def one_failed(records):
        (failed,) = all_failed([records[at]])
        return [failed if record is records[at] else record for record in records]

    trials = prepare(load_trials(study(seeds=4, rates=[1e-3], change=one_failed)))
    axes = plots.seed_spread(trials).axes[0]
    learned = trials.loc[~trials["failed"], "score"]
    assert trials.loc[trials["failed"], "score"].max() > learned.min() + 5 * (learned.max() - learned.min())
    low, high = axes.get_xlim()
    crosses = [collection.get_offsets()[:, 0] for collection in axes.collections]
    assert sum(map(len, crosses)) == len(trials)
    assert all(low <= place <= high for places in crosses for place in places)
    assert learned.max() - learned.min() > 0.15 * (high - low)
