"""The first screen: its statements and its warnings."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.headline import alarms, forest, headlines
from analysis.load import load_trials
from analysis.prepare import prepare
from analysis.tables import make_tables
from analysis.tables.table import Table


def table(name, **columns):
    return {
        name: Table(
            name, "", "", pd.DataFrame({"case": ["c"], "arm": ["ace"], "control": ["strict"], **columns}), {}
        )
    }


TRIALS = pd.DataFrame({"case": ["c"], "metric_goal": ["min"], "arm": ["strict"], "failed": [False]})


@pytest.mark.parametrize(
    ("low", "high", "p", "words"),
    [
        (-0.05, 0.12, 1.0, "No effect on failures larger than 12 points."),
        (-0.3, -0.1, 0.01, "Ace fails less often than strict, by 20 points."),
        (0.1, 0.3, 0.01, "Ace fails more often than strict, by 20 points."),
        (-0.3, -0.1, 0.2, "No effect on failures larger than 30 points."),
    ],
)
def test_the_sentence_on_failures(low, high, p, words):
    middle = -0.2 if high < 0 else 0.2
    found = table(
        "failure_contrasts", low=low, high=high, p_holm=p, difference=middle, largest=max(-low, high)
    )
    assert headlines(TRIALS, found) == {"c": words}


@pytest.mark.parametrize(("goal", "noun"), [("min", "error"), ("max", "score")])
def test_the_sentence_on_scores(goal, noun):
    found = table("best_contrasts", relative=-0.07, relative_low=-0.2, verdict="undecided")
    assert headlines(TRIALS.assign(metric_goal=goal), found) == {"c": f"Ace: 7% lower {noun}, undecided."}


def arms(name, **columns):
    """A table of contrasts with a row for each value."""
    count = len(next(iter(columns.values())))
    labels = {"case": "c", "arm": [f"arm-{n}" for n in range(count)], "control": "strict"}
    return {name: Table(name, "", "", pd.DataFrame({**labels, **columns}), {})}


def test_of_many_arms_the_headline_names_the_three_best_and_counts_the_others():
    relative = [0.3, -0.1, -0.4, -0.2, -0.5, -0.9, *[0.0] * 18]
    verdicts = ["worse", *["better"] * 4, *["undecided"] * 19]
    lows = [value - 0.1 for value in relative]
    found = headlines(TRIALS, arms("best_contrasts", relative=relative, relative_low=lows, verdict=verdicts))
    assert found == {
        "c": "Arm-4: 50% lower error, better; arm-2: 40% lower error, better; arm-3: 20% lower error, better; "
        "21 other arms: 19 undecided, 1 worse, 1 better (each by its own 95% interval, not corrected for "
        "24 comparisons)."
    }


def test_of_many_arms_that_fail_less_often_three_are_named():
    difference = [0.5, -0.2, -0.4, -0.3, -0.1, *[0.0] * 19]
    shown = [value != 0 for value in difference]
    found = arms(
        "failure_contrasts",
        difference=difference,
        low=[value - 0.05 for value in difference],
        high=[value + 0.05 for value in difference],
        p_holm=[0.01 if one else 1.0 for one in shown],
        largest=[abs(value) + 0.05 for value in difference],
    )
    assert headlines(TRIALS, found) == {
        "c": "Arm-2 fails less often than strict, by 40 points; arm-3 fails less often than strict, by 30 points; "
        "arm-1 fails less often than strict, by 20 points; "
        "21 other arms: 19 no difference shown, 1 more often, 1 less often."
    }


def test_a_study_that_failed_throughout_says_so_first():
    found = table("failure_contrasts", low=-0.3, high=0.3, p_holm=1.0, difference=0.0, largest=0.3)
    words = "Every trial failed; no effect on failures larger than 30 points."
    assert headlines(TRIALS.assign(failed=True), found) == {"c": words}


def test_headline_and_forest_agree_on_what_one_seed_shows(study):
    """A difference without an interval, since one pair has no spread."""
    trials = prepare(load_trials(study(seeds=1)))
    tables = make_tables(trials)
    (sentence,) = headlines(trials, tables).values()
    largest = -min(row["scores"]["numbers"][0] for row in forest(trials, tables))
    assert f"{largest:.0%} lower error, no interval; 2 other arms: no interval" in sentence
    for row in forest(trials, tables):
        assert row["scores"]["verdict"] == "no interval"
        assert row["scores"]["numbers"][1:] == row["scores"]["places"][1:] == [None, None]
        assert row["failures"]["numbers"][1] < row["failures"]["numbers"][2]


def test_arms_without_a_pair_are_counted_as_such(study):
    """If the control crashed at the seeds of an arm."""

    def crash(records):
        return [
            replace(record, outcome="crashed", reason="error")
            if (record.spec["method"]["name"] == "ace") == (record.spec["seed"] == 0)
            else record
            for record in records
        ]

    trials = prepare(load_trials(study(seeds=2, change=crash)))
    tables = make_tables(trials)
    (sentence,) = headlines(trials, tables).values()
    assert "points (1 other arm: no pair)" in sentence
    assert "1 no pair" in sentence
    *_, last = forest(trials, tables)
    assert last["arm"] == "ace"
    assert {last[kind]["verdict"] for kind in ("failures", "scores")} == {"no pair"}


def test_alarms():
    counts = {"planned": 20, "missing": 0, "crashed": 2}
    lines = alarms(counts, {"torch": ["2.10", "2.11"], "python": ["3.11"]})
    for word, line in zip(("crashed", "torch"), lines, strict=True):
        assert word in line
    assert alarms({**counts, "crashed": 0}, {}) == []


def test_the_forest_puts_zero_in_the_middle_and_keeps_to_its_track(study):
    trials = prepare(load_trials(study(seeds=2)))
    rows = forest(trials, make_tables(trials))
    assert [row["arm"] for row in rows] == ["triangle", "cosine", "ace"]
    for row in rows:
        for kind in ("failures", "scores"):
            middle, low, high = row[kind]["places"]
            assert 0 <= low <= middle <= high <= 100
            assert (middle > 50) == (row[kind]["numbers"][0] > 0)
