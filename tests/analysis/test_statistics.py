"""Each statistic against an independent computation."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from small_grid import RATES, grid

from analysis.prepare import controls
from analysis.statistics.best_setting import (
    choose_rates,
    paired_scores,
    scores_at,
    sign_flip_test,
    smallest_p,
)
from analysis.statistics.budget import expected_best
from analysis.statistics.hyperparameters import hyperparameter_sensitivity
from analysis.statistics.improvement import probability_of_improvement
from analysis.statistics.profiles import performance_profiles
from analysis.statistics.sensitivity import rate_sensitivity
from analysis.statistics.usable_width import usable_widths
from analysis.statistics.variance import variance_shares
from analysis.statistics.without_tuning import interquartile_means, middle_rates


def test_usable_width_and_its_censoring():
    losses = np.array([[5.0], [1.05], [1.0], [1.0]]) * np.ones((1, 3))
    row = usable_widths(grid(losses, failed=[[0] * 3, [0] * 3, [0] * 3, [1, 0, 0]])).iloc[0]
    assert row["decades"] == pytest.approx(
        2.0
    )  # two inner rates of a decade each; at the last rate a third fails
    assert row["censored"] == ""
    assert usable_widths(grid(np.ones((4, 3)))).iloc[0][["decades", "censored"]].tolist() == [3.0, "both"]
    assert usable_widths(grid(losses - 10)).iloc[0]["decades"] == pytest.approx(
        2.5
    )  # -9 to -8.1 is near the best


def test_sensitivity_by_hand():
    row = rate_sensitivity(grid([[4, 4], [1, 3], [1, 1], [6, 6]])).iloc[0]
    assert row["sensitivity"] == pytest.approx((4 + 2 + 1 + 6) / 4 - 1)
    assert row["best_lr"] == RATES[2]
    assert row["low"] < row["sensitivity"] < row["high"]


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=8))
@example([10, 20, -30, 10, 20, -30])  # a sum of 0 up to rounding
def test_sign_flips_by_listing_them(hundredths):
    differences = np.array(hundredths) / 100  # two sums are equal or clearly differ
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([1, -1], repeat=len(differences))]
    observed = abs(differences.sum())
    by_listing = np.mean([total >= observed - 1e-9 for total in sums])
    assert sign_flip_test(differences) == pytest.approx(by_listing, abs=1e-9)


@pytest.mark.parametrize("pairs", [1, 5, 16, 20])
def test_the_smallest_p_is_that_of_differences_of_one_sign(pairs):
    assert sign_flip_test(np.ones(pairs)) == pytest.approx(smallest_p(pairs))


def test_sign_flips_of_many_pairs_agree_with_the_t_test():
    differences = np.random.default_rng(0).normal(0.4, 1, 40)
    assert sign_flip_test(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


def test_best_setting_is_chosen_on_validation():
    trials = grid([[4, 4], [2, 2.2], [3, 3], [9, 9]])
    trials["score"] = -trials["val_score"]  # the test set would choose otherwise
    rates = choose_rates(trials)
    assert rates["lr"].item() == RATES[1]
    row = scores_at(trials, rates).iloc[0]
    assert (row["mean"], row["sd"]) == (pytest.approx(-2.1), pytest.approx(np.std([2, 2.2], ddof=1)))
    assert (row["low"], row["high"]) == pytest.approx(stats.t.interval(0.95, 1, -2.1, row["sd"] / np.sqrt(2)))
    assert (
        choose_rates(grid(trials["val_score"].to_numpy().reshape(4, 2), goal="max"))["lr"].item() == RATES[3]
    )


def test_paired_scores_against_scipy():
    random = np.random.default_rng(1)
    ours, theirs = random.normal(1, 0.1, (2, 1, 6))
    trials = pd.concat([grid(theirs), grid(ours, arm="ace")])
    row = paired_scores(trials, choose_rates(trials), "strict").iloc[0]
    reference = stats.ttest_rel(ours[0], theirs[0]).confidence_interval()
    assert (row["low"], row["high"]) == pytest.approx((reference.low, reference.high))
    exact = stats.permutation_test(
        (ours[0] - theirs[0],), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert row["p"] == pytest.approx(exact.pvalue)


def test_scores_at_a_rate_use_trials_that_learned_and_pairs_need_both():
    strict, ace = grid([[1.0, 1.2, 9.0, 1.1]]), grid([[2.0, 9.0, 2.4, 2.3]], arm="ace")
    trials = pd.concat([strict, ace], ignore_index=True)
    trials["failed"] = trials["score"] == 9.0
    rates = choose_rates(trials)
    mine = scores_at(trials, rates).set_index("arm").loc["strict"]
    assert (mine["n"], mine["failed"], mine["learned"]) == (4, 1, 3)
    assert mine["mean"] == pytest.approx(1.1)
    row = paired_scores(trials, rates, "strict").iloc[0]
    assert (row["pairs"], row["difference"]) == (2, pytest.approx((1.0 + 1.2) / 2))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=7), st.sampled_from(["min", "max"]))
def test_expected_best_by_listing_all_draws(scores, goal):
    table = expected_best(grid([scores], goal=goal)).set_index("n")["best"]
    best = {"min": min, "max": max}[goal]
    for n in (1, 2, 3):
        if n in table.index:
            listed = np.mean([best(draw) for draw in itertools.product(scores, repeat=n)])
            assert table[n] == pytest.approx(listed)


def test_interquartile_mean_against_scipy():
    losses = np.random.default_rng(2).exponential(size=(4, 5))
    row = interquartile_means(grid(losses)).iloc[0]
    assert row["iqm"] == pytest.approx(stats.trim_mean(losses.ravel(), 0.25))
    assert row["low"] < row["iqm"] < row["high"]
    assert middle_rates(grid(losses))["lr"].item() == RATES[1]


def test_probability_of_improvement_against_mann_whitney():
    random = np.random.default_rng(3)
    ours, theirs = random.normal(0, 1, (4, 5)), random.normal(0.3, 1, (4, 5))
    trials = pd.concat([grid(theirs), grid(ours, arm="ace")])
    row = probability_of_improvement(trials, controls(trials)).iloc[0]
    assert row["probability"] == pytest.approx(
        stats.mannwhitneyu(theirs.ravel(), ours.ravel()).statistic / 400
    )
    assert row["low"] < row["probability"] < row["high"]


def test_profiles_are_shares():
    trials = pd.concat([grid(np.ones((4, 2)), case=case) for case in ("one", "two")])
    trials["skill"] = np.tile([0.0, 0.5, 0.5, 1.0], 4)
    table = performance_profiles(trials).set_index("level")
    assert table["share"].iloc[0] == 0.75
    assert table["share"].iloc[-1] == 0
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()


def test_variance_shares_of_a_balanced_grid():
    """In a balanced grid the type II sums are those of the cell means."""
    random = np.random.default_rng(4)
    logs = random.normal(size=(2, 4, 5))
    trials = pd.concat([grid(10 ** logs[0]), grid(10 ** logs[1], arm="ace")])
    table = variance_shares(trials).set_index("factor")
    by_arm = 20 * np.sum((logs.mean(axis=(1, 2)) - logs.mean()) ** 2)
    by_rate = 10 * np.sum((logs.mean(axis=(0, 2)) - logs.mean()) ** 2)
    assert table.loc["arm", "sum_of_squares"] == pytest.approx(by_arm)
    assert table.loc["learning rate", "sum_of_squares"] == pytest.approx(by_rate)
    assert table["share"].sum() == pytest.approx(1)
    assert table["sum_of_squares"].sum() == pytest.approx(np.sum((logs - logs.mean()) ** 2))


def test_variance_of_losses_below_zero_is_that_of_all_trials():
    losses = np.random.default_rng(4).normal(size=(2, 4, 5))
    table = variance_shares(pd.concat([grid(losses[0]), grid(losses[1], arm="ace")]))
    assert table["sum_of_squares"].sum() == pytest.approx(np.sum((losses - losses.mean()) ** 2))


def test_variance_is_not_split_between_collinear_factors():
    """No two arms share a seed, so the arm follows from the seed."""
    losses = 10 ** np.random.default_rng(4).normal(size=(4, 2))
    other = grid(losses, arm="ace")
    other["seed"] += 2
    assert not variance_shares(pd.concat([grid(losses), grid(losses * 2, arm="ace")])).empty
    assert variance_shares(pd.concat([grid(losses), other])).empty


def test_hyperparameter_sensitivity_by_hand():
    """Each case needs a different rate: tuned reaches 1 in both, any single rate less."""
    trials = pd.concat([grid([[1], [0], [3], [3]], case="one"), grid([[3], [1], [0], [3]], case="two")])
    row = hyperparameter_sensitivity(trials).iloc[0]
    low, high = (np.quantile([-1, 0, -3, -3], share) for share in (0.05, 0.95))
    first = (np.array([-1, 0, -3, -3]) - low) / (high - low)
    low, high = (np.quantile([-3, -1, 0, -3], share) for share in (0.05, 0.95))
    second = (np.array([-3, -1, 0, -3]) - low) / (high - low)
    assert row["tuned"] == pytest.approx((first.max() + second.max()) / 2)
    assert row["sensitivity"] == pytest.approx(row["tuned"] - ((first + second) / 2).max())
    assert row["dimensionality"] == 1
    assert hyperparameter_sensitivity(grid(np.ones((4, 1)))).empty
