"""The report of a searched study: what a budget of trials reaches, and no failure statistics."""

import pandas as pd
import pytest

from analysis.figures import make_pictures
from analysis.load import load_trials
from analysis.prepare import prepare
from analysis.report import write_report
from analysis.tables import make_tables

OF_FAILURES = {"failure_rates", "failure_contrasts", "learning_rate_range", "learning_rates"}
TWO = {"strict": {"name": "strict"}, "triangle": {"name": "relaxed", "schedule": "triangle"}}
DRAWN = [float(f"{10 ** (-3.97 + step / 9):.4g}") for step in range(25)]
SEARCH = {"sampler": "random", "trials": len(DRAWN), "lr": {"log": [1e-4, 1e-1]}, "seed": 0}


@pytest.fixture
def searched(study):
    return study("searched", {"name": "searched", "search": SEARCH}, arms=TWO, rates=DRAWN, seeds=1)


def test_the_report_of_a_search_has_the_expected_best_and_refuses_failures(searched, monkeypatch):
    monkeypatch.setattr("analysis.plots.files.FORMATS", {"svg": {}})
    summary = write_report([searched], searched)
    assert OF_FAILURES.isdisjoint(summary["tables"])
    budget = pd.DataFrame(summary["tables"]["expected_best"])
    assert set(budget["arm"]) == set(TWO)
    assert budget["n"].max() == len(DRAWN)
    assert ((budget["low"] <= budget["best"]) & (budget["best"] <= budget["high"])).all()
    (refused,) = (line for line in summary["limits"] if "drawn by a search" in line)
    assert "No failure statistics" in refused
    assert not any("No control" in line for line in summary["limits"])
    assert not any("failed trials" in line or "fails" in line for line in summary["finding"])
    figures = {path.name.partition("-")[0] for path in (searched / "report" / "figures").iterdir()}
    assert "expected_best" in figures
    assert figures.isdisjoint({"overview.svg", "failure_rate", "loss", "heat_map_arms"})
    assert not [note for note in summary["notes"] if "could not be drawn" in note]


def test_beside_a_grid_each_statistic_uses_the_trials_that_it_is_valid_for(searched, study):
    grid = study("grid", arms=TWO, seeds=2, salt=1)
    both = pd.concat([load_trials(folder) for folder in (grid, searched)], ignore_index=True)
    tables, of_grid = make_tables(prepare(both)), make_tables(prepare(load_trials(grid)))
    assert set(tables) >= OF_FAILURES
    for name in OF_FAILURES:
        pd.testing.assert_frame_equal(tables[name].frame, of_grid[name].frame)
    assert tables["expected_best"].frame["n"].max() == len(DRAWN)
    assert "rounds" not in tables


def test_a_grid_has_its_overview_as_before(study):
    trials = prepare(load_trials(study("grid", arms=TWO, seeds=2)))
    first = next(make_pictures(trials, pd.DataFrame({"trial": [], "epoch": []}), make_tables(trials)))
    assert first.name == "overview"
