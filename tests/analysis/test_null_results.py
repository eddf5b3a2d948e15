"""Statements about null results: verdicts, seeds needed, time to target, bands, reasons, published values."""

import math

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from analysis.load import load_trials
from analysis.page import make_curves
from analysis.prepare import prepare
from analysis.stated import Published, Stated, read_stated
from analysis.statistics.budget import best_of, best_of_band
from analysis.statistics.equivalence import equivalent_failures, equivalent_scores, not_excluded, verdict
from analysis.statistics.seeds_needed import (
    seeds_for_failures,
    seeds_for_score,
    seeds_for_score_interval,
    seeds_needed,
)
from analysis.statistics.time_to_target import (
    restricted_mean,
    restricted_means,
    survival_curve,
    times_to_target,
)
from analysis.statistics.why_failed import first_non_finite, spikes, why_failed
from analysis.tables import make_tables


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "expected"),
    [
        (-0.3, -0.1, False, "better"),
        (0.1, 0.3, False, "worse"),
        (-0.1, 0.3, False, "undecided"),
        (0.1, 0.3, True, "equivalent"),
        (float("nan"), float("nan"), False, "undecided"),
    ],
)
def test_verdicts(low, high, equivalent, expected):
    assert verdict(low, high, equivalent) == expected
    opposite = {"better": "worse", "worse": "better"}.get(expected, expected)
    assert verdict(low, high, equivalent, smaller_is_better=False) == opposite


def test_the_largest_effect_not_excluded_has_no_sign():
    assert not_excluded(-0.12, 0.03) == 0.12
    assert math.isnan(not_excluded(float("nan"), float("nan")))


def test_equivalent_scores_by_two_t_tests():
    """The same as two one-sample tests of scipy against the bounds, if the control does not vary."""
    random = np.random.default_rng(0)
    for _ in range(50):
        theirs = np.full(6, 0.02)
        ours = theirs + random.normal(0, 3e-4, 6) + random.normal(0, 3e-4)
        bound = 0.03 * 0.02
        p_low = stats.ttest_1samp(ours - theirs, -bound, alternative="greater").pvalue
        p_high = stats.ttest_1samp(ours - theirs, bound, alternative="less").pvalue
        assert equivalent_scores(ours, theirs, 0.03) == (max(p_low, p_high) < 0.05)


def test_one_pair_shows_no_equivalence():
    assert not equivalent_scores(np.array([1.0]), np.array([1.0]), 0.5)
    assert not equivalent_failures((1, 0, 0, 0), 0.5)


def test_equivalent_failures_need_enough_pairs():
    assert not equivalent_failures((5, 1, 1, 13), 0.1)
    assert equivalent_failures((50, 1, 1, 148), 0.1)
    assert not equivalent_failures((50, 40, 0, 110), 0.1)


@pytest.mark.parametrize("effect", [0.3, 0.8, 2.0])
def test_seeds_for_a_score_reach_the_power_and_one_less_does_not(effect):
    n = seeds_for_score(effect, 1.0)
    power = [
        stats.nct.sf(stats.t.ppf(0.975, size - 1), size - 1, effect * math.sqrt(size)) for size in (n - 1, n)
    ]
    assert power[0] < 0.8 <= power[1]


def test_seeds_grow_with_the_spread():
    differences = np.random.default_rng(1).normal(0, 1, 8)
    middle, low, high = seeds_for_score_interval(0.5, differences)
    assert low < middle < high
    assert seeds_for_score(0.5, 0.0) == 2


def test_seeds_for_failures_by_connor():
    """Connor's formula written out: 20% of pairs differ, 10 points to detect, 7 pairs per seed."""
    pairs = (1.959964 * math.sqrt(0.2) + 0.841621 * math.sqrt(0.2 - 0.01)) ** 2 / 0.01
    assert seeds_for_failures(0.1, 0.2, 7) == math.ceil(pairs / 7)
    assert seeds_for_failures(0.1, 0.0, 7) == seeds_for_failures(0.1, 0.1, 7)


def test_survival_by_hand():
    """Two of five reach it at 10, one at 30; one is lost at 20, one never reaches it: 3/5, then 3/5 * 1/2."""
    times, reached = np.array([10, 10, 20, 30, 50.0]), np.array([True, True, False, True, False])
    falls, heights = survival_curve(times, reached)
    assert falls.tolist() == [0, 10, 30]
    assert heights == pytest.approx([1, 0.6, 0.3])
    assert restricted_mean(times, reached, 50) == pytest.approx(10 + 20 * 0.6 + 20 * 0.3)


def test_without_censoring_before_the_horizon_the_restricted_mean_is_the_mean():
    times = np.array([3.0, 8, 20, 20])
    assert restricted_mean(times, times < 20, 20) == pytest.approx(times.mean())


def test_time_to_target_counts_failures_and_judges_no_relaxed_model():
    trials = pd.DataFrame(
        {
            "case": "one", "arm": ["strict", "strict", "new", "new"], "seed": [0, 1, 0, 1], "trial": list("abcd"),
            "metric_goal": "min", "val_metric": [0.1, 0.1, 0.1, None], "trivial": 1.1,
            "failed": [False, False, False, True], "lr": 0.1, "val_score": 0.1,
        }
    )  # fmt: skip
    reached = {
        "a": [1, 0.5, 0.1, 0.1],
        "b": [1, 0.14, 0.1, 0.1],
        "c": [0.1, 0.1, 0.1, 0.1],
        "d": [1, 0.1, 9, 9],
    }
    theta = {"c": [1, 1, 0, 0]}
    histories = pd.concat(
        pd.DataFrame(
            {"trial": trial, "step": [10, 20, 30, 40], "val_metric": values, "theta": theta.get(trial, 0)}
        )
        for trial, values in reached.items()
    )
    times = times_to_target(trials, histories, {"one": "strict"}).set_index("trial")
    assert times["target"].iloc[0] == pytest.approx(0.15)
    assert times["steps"].to_dict() == {"a": 30, "b": 20, "c": 30, "d": 40}
    assert times["reached"].to_dict() == {"a": True, "b": True, "c": True, "d": False}
    table = restricted_means(times.reset_index(), {"one": "strict"}).set_index("arm")
    assert table.loc["new", "difference"] == pytest.approx(10)
    projected = histories.assign(projected_val_metric=0.1)
    again = times_to_target(trials, projected, {"one": "strict"}).set_index("trial")
    assert again.loc["c", "steps"] == 10
    unconstrained = histories.assign(theta=histories["theta"].where(histories["trial"] != "c", 1))
    as_delivered = times_to_target(trials, unconstrained, {"one": "strict"}).set_index("trial")
    assert as_delivered.loc["c", "steps"] == 10
    lost = times_to_target(trials, histories[histories["trial"] != "c"], {"one": "strict"})
    assert lost["trial"].tolist() == ["a", "b", "d"]


def test_the_band_of_the_expected_best_contains_the_curve_and_narrows():
    random = np.random.default_rng(0)
    sizes = np.array([1, 3, 10])
    widths = []
    for n in (10, 1000):
        scores = random.random(n)
        low, high = best_of_band(scores, sizes, 0.0, 1.0)
        middle = best_of(scores, sizes)
        assert (low < middle).all()
        assert (middle < high).all()
        widths.append(high - low)
    assert (widths[1] < 0.3 * widths[0]).all()


def test_seeds_for_failures_do_not_depend_on_rounds_after_the_grid(study):
    trials = prepare(load_trials(study(seeds=3))).assign(round=1)
    chosen = trials[trials["lr"] == 1e-3]
    added = [chosen.assign(round=2, seed=10 + more, pair=chosen["pair"] + f"-{more}") for more in range(20)]
    later = pd.concat([trials, *added], ignore_index=True)
    wanted, found = (seeds_needed(table).set_index("arm")["failure_seeds"] for table in (trials, later))
    assert found.tolist() == wanted.tolist()


def test_spikes_are_counted_once_each():
    assert spikes(np.array([1, 1, 1, 10, 12, 1, 1, 1, 8, 1.0])) == (2, 12.0)
    assert spikes(np.array([5, 4, 3, 2.0]))[0] == 0
    assert spikes(np.array([1, np.nan, np.inf]))[0] == 0


def test_the_first_value_that_is_not_finite():
    rows = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [1, 1, np.nan], "grad_norm": [1, np.inf, np.nan]})
    assert first_non_finite(rows, "non_finite") == (2, "grad_norm")
    assert first_non_finite(rows.iloc[:1], "collapsed") == (None, "")


def test_an_epoch_that_was_not_validated_is_no_finding():
    rows = pd.DataFrame(
        {"epoch": [0, 1, 2], "train_loss": 1.0, "grad_norm": 1.0, "val_loss": [np.nan, 1, np.nan]}
    )
    assert first_non_finite(rows, "diverged") == (None, "")
    assert first_non_finite(rows, "non_finite") == (2, "val_loss")
    rows.loc[1, "val_loss"] = np.inf
    assert first_non_finite(rows, "collapsed") == (1, "val_loss")


def test_curves_show_the_epochs_that_were_validated():
    metric = [0.5 if epoch % 5 == 4 else np.nan for epoch in range(98)]
    rows = pd.DataFrame({"trial": "x", "epoch": range(98), "train_loss": 1.0, "val_metric": metric})
    shown = make_curves(rows)["x"]
    assert shown["epoch"] == [*range(4, 98, 5), 97]
    assert shown["val_metric"] == [0.5] * 19 + [None]
    rows["val_metric"] = np.nan
    assert len(make_curves(rows)["x"]["epoch"]) == 32


def test_the_target_is_reached_at_an_epoch_that_was_validated():
    trials = pd.DataFrame(
        {"case": "c", "arm": "a", "seed": 0, "trial": ["x"], "metric_goal": "min", "failed": False}
    ).assign(val_metric=1.0, val_score=1.0, trivial=2.0, lr=0.1)
    rows = pd.DataFrame({"trial": "x", "step": [1, 2, 3, 4], "val_metric": [np.nan, 1.5, np.nan, 1.0]})
    (found,) = times_to_target(trials, rows, {"c": "a"}).itertuples()
    assert (found.steps, found.reached, found.horizon) == (4, True, 4)


def test_a_failed_trial_without_a_history_has_a_row():
    trials = pd.DataFrame(
        {"case": "c", "arm": "a", "lr": 0.1, "seed": 0, "trial": ["x"], "reason": "diverged", "failed": True}
    )
    found = why_failed(trials, pd.DataFrame({"trial": [], "epoch": []}))
    assert found["spikes"].tolist() == [0]


def test_statements_of_a_study_are_read_and_the_rest_is_ignored():
    text = """
equivalence: {failure_rate: 0.1, score: 2 percent}
published: [{arm: strict, metric: mse, value: 0.007, source: a paper}, {arm: strict}, 3]
"""
    assert read_stated(yaml.safe_load(text)) == Stated(
        0.1, None, (Published("strict", "mse", 0.007, "a paper"),)
    )
    for nothing in ({}, {"equivalence": 3, "published": {"a": 1}}):
        assert read_stated(nothing) == Stated()


def test_the_tables_contain_the_verdict_and_the_published_value(study):
    trials = prepare(load_trials(study(seeds=2)))
    case = trials["case"].iloc[0]
    said = Stated(
        0.9, 0.9, (Published("strict", "position_mse", 0.007, "a paper"), Published("ace", "f1", 1.0, "b"))
    )
    tables = make_tables(trials, stated={case: said})
    assert set(tables["failure_contrasts"].frame["verdict"]) == {"equivalent"}
    assert "undecided" in set(make_tables(trials)["failure_contrasts"].frame["verdict"])
    published = tables["published"].frame
    assert published["published"].tolist() == [0.007, 1.0]
    assert published["mean"].notna().tolist() == [True, False]
    assert (tables["seeds_needed"].frame["failure_seeds"] >= 2).all()
