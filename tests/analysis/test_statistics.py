"""Each statistic against an independent way to its number."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.prepare import controls, name_cases, prepare
from analysis.statistics.best_setting import choose_rates, paired_scores, scores_at, sign_flip_test
from analysis.statistics.budget import expected_best
from analysis.statistics.cost import cost, training_share
from analysis.statistics.failure import failure_rates
from analysis.statistics.grid_failure import grid_failure_rates, grid_share
from analysis.statistics.holm import holm
from analysis.statistics.hyperparameters import hyperparameter_sensitivity
from analysis.statistics.improvement import probability_of_improvement
from analysis.statistics.intervals import wilson
from analysis.statistics.onset import failure_curve, half_failure_rate
from analysis.statistics.paired import mcnemar_exact, newcombe_paired, paired_failures
from analysis.statistics.profiles import performance_profiles
from analysis.statistics.sensitivity import rate_sensitivity
from analysis.statistics.usable_width import usable_widths
from analysis.statistics.variance import variance_shares
from analysis.statistics.without_tuning import interquartile_means, middle_rates

RATES = np.array([1e-4, 1e-3, 1e-2, 1e-1])


def grid(losses, arm="strict", case="one", failed=None, goal="min"):
    """A prepared table from losses (rates, seeds)."""
    losses = np.asarray(losses, float)
    rate, seed = (index.ravel() for index in np.indices(losses.shape))
    failed = np.zeros(losses.size, bool) if failed is None else np.asarray(failed).ravel()
    values = {name: losses.ravel() for name in ("loss", "val_score", "score")}
    labels = {"case": case, "arm": arm, "method": arm, "lr": RATES[rate], "seed": seed}
    extra = {
        "pair": [f"{r}-{s}" for r, s in zip(rate, seed, strict=True)],
        "metric": "mse",
        "metric_goal": goal,
    }
    return pd.DataFrame(
        {**labels, **extra, **values, "failed": failed, "failed_loss": 1.0, "failed_score": 1.0}
    )


def test_wilson_by_its_quadratic():
    """The ends solve (p - k/n)^2 = z^2 p (1 - p) / n (Wilson 1927)."""
    for failed, n in [(0, 5), (1, 5), (5, 5), (12, 35)]:
        z = stats.norm.ppf(0.975)
        roots = np.roots([1 + z**2 / n, -2 * failed / n - z**2 / n, (failed / n) ** 2])
        assert np.allclose(wilson(failed, n), np.sort(roots), atol=1e-9)


def test_failure_rates_count():
    table = failure_rates(grid([[1, 1]] * 4, failed=[[0, 0], [0, 1], [1, 1], [1, 1]]), ["arm", "lr"])
    assert list(table["failed"]) == [0, 1, 2, 2]
    assert list(table["rate"]) == [0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        # Newcombe 1998, table II, method 10: e, f, g, h and the interval
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((36, 14, 0, 0), (0.1528, 0.4167)),
        ((18, 12, 2, 18), (0.0562, 0.3290)),
        ((0, 0, 0, 50), (-0.0713, 0.0713)),
    ],
)
def test_newcombe_by_his_own_examples(counts, interval):
    assert newcombe_paired(*counts)[1:] == pytest.approx(interval, abs=5e-4)


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_by_summing_the_binomial(first, second):
    n = first + second
    chances = [stats.binom.pmf(k, n, 0.5) for k in range(n + 1)]
    expected = sum(chance for chance in chances if chance <= chances[first] * (1 + 1e-7))
    assert mcnemar_exact(first, second) == pytest.approx(min(1.0, expected))


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, np.nan, 0.03])) == pytest.approx(
        [0.03, 0.06, np.nan, 0.06], nan_ok=True
    )


@settings(max_examples=20)  # statsmodels collects garbage at every call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_statsmodels(p):
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1])


def test_pairs_leave_out_what_one_arm_lacks():
    strict = grid(np.ones((4, 2)), failed=[[0, 0], [0, 0], [1, 1], [1, 1]])
    other = grid(np.ones((4, 2)), arm="ace", failed=[[0, 0], [0, 0], [0, 1], [1, 1]])
    row = paired_failures(pd.concat([strict, other.iloc[:-1]]), "strict").iloc[0]
    assert row[["pairs", "both", "only_arm", "only_control", "neither"]].tolist() == [7, 2, 0, 1, 4]
    assert row["difference"] == pytest.approx(-1 / 7)


def test_grid_failure_rate_counts_rates_alike():
    trials = grid(np.ones((2, 4)), failed=[[0, 0, 0, 0], [1, 1, 1, 1]])
    assert grid_failure_rates(trials.iloc[:6])["rate"].item() == 0.5
    share, low, high = grid_share(np.array([[0, 5], [0, 5]]), np.array([5, 5]))
    assert share.tolist() == [0, 1]
    assert low[0] == 0
    assert high[1] == 1
    assert high[0] == pytest.approx(1 - low[1])


def test_onset_of_failure():
    rates = 10 ** np.linspace(-4, -1, 7)
    seeds = np.full(7, 5.0)
    found = half_failure_rate(rates, np.array([0, 0, 0, 0, 0, 5, 5.0]), seeds)
    assert rates[4] < found["lr50"] < rates[5]  # a clean step: anywhere between, so the middle
    assert np.log10(found["lr50"]) == pytest.approx(-1.75, abs=0.02)
    assert found["low"] < rates[4] * 1.15
    assert found["high"] > rates[5] * 0.87
    assert half_failure_rate(rates, np.zeros(7), seeds)["censored"] == "above"
    assert half_failure_rate(rates, seeds.copy(), seeds)["censored"] == "below"
    too_small = np.array([5, 3, 0, 0, 0, 2, 5.0])  # failures to learn at small rates are another edge
    assert half_failure_rate(rates, too_small, seeds)["lr50"] > rates[4]


def test_onset_agrees_with_a_fitted_logistic():
    from statsmodels.api import GLM, add_constant, families

    rates, seeds = 10 ** np.linspace(-4, -1, 7), np.full(7, 40.0)
    failed = np.array([0, 1, 3, 9, 20, 33, 39.0])
    fit = GLM(
        np.column_stack([failed, seeds - failed]), add_constant(np.log10(rates)), families.Binomial()
    ).fit()
    assert np.log10(half_failure_rate(rates, failed, seeds)["lr50"]) == pytest.approx(
        -fit.params[0] / fit.params[1], abs=0.02
    )


def test_the_fitted_curve_is_the_one_that_lr50_is_read_from():
    rates, seeds = 10 ** np.linspace(-4, -1, 7), np.full(7, 5.0)
    failed = np.array([0, 0, 0, 1, 3, 5, 5.0])
    found, curve = half_failure_rate(rates, failed, seeds), failure_curve(rates, failed, seeds)
    place = np.log10(curve["lr"])
    assert np.interp(np.log10(found["lr50"]), place, curve["chance"]) == pytest.approx(0.5, abs=0.01)
    assert ((curve["low"] <= curve["chance"]) & (curve["chance"] <= curve["high"])).all()
    # the band reaches one half where the interval of LR50 ends
    assert np.interp(np.log10(found["low"]), place, curve["high"]) == pytest.approx(0.5, abs=0.05)
    assert np.interp(np.log10(found["high"]), place, curve["low"]) == pytest.approx(0.5, abs=0.05)
    unequal = failure_curve(rates[[0, 2, 4, 5]], np.array([0, 0, 2, 9.0]), np.array([5, 2, 4, 10.0]))
    assert np.isfinite(unequal).all(axis=None)
    assert failure_curve(rates[:1], failed[:1], seeds[:1]).empty


def test_usable_width_and_its_censoring():
    losses = np.array([[5.0], [1.05], [1.0], [1.0]]) * np.ones((1, 3))
    row = usable_widths(grid(losses, failed=[[0] * 3, [0] * 3, [0] * 3, [1, 0, 0]])).iloc[0]
    assert row["decades"] == pytest.approx(
        2.0
    )  # two inner rates of a decade each; at the last one third fails
    assert row["censored"] == ""
    assert usable_widths(grid(np.ones((4, 3)))).iloc[0][["decades", "censored"]].tolist() == [3.0, "both"]


def test_sensitivity_by_hand():
    row = rate_sensitivity(grid([[4, 4], [1, 3], [1, 1], [6, 6]])).iloc[0]
    assert row["sensitivity"] == pytest.approx((4 + 2 + 1 + 6) / 4 - 1)
    assert row["best_lr"] == RATES[2]
    assert row["low"] < row["sensitivity"] < row["high"]


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=8))
@example([10, 20, -30, 10, 20, -30])  # a sum of 0 but for rounding
def test_sign_flips_by_listing_them(hundredths):
    differences = np.array(hundredths) / 100  # two sums are equal or clearly not
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([1, -1], repeat=len(differences))]
    observed = abs(differences.sum())
    by_listing = np.mean([total >= observed - 1e-9 for total in sums])
    assert sign_flip_test(differences) == pytest.approx(by_listing, abs=1e-9)


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


def test_scores_at_a_rate_are_of_what_learned_there_and_pairs_of_what_both_did():
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


def test_hyperparameter_sensitivity_by_hand():
    """Each case wants another rate: tuned reaches 1 in both, any one rate less."""
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


def test_failed_trials_count_and_crashed_do_not():
    base = {
        "task": "nbody",
        "model": "egnn",
        "arm": "strict",
        "method": "strict",
        "metric_goal": "min",
        "metric": "mse",
    }
    rows = [
        {"outcome": "learned", "val_loss": 0.2, "val_metric": 0.2, "test_metric": 0.3, "spec": "a"},
        {"outcome": "learned", "val_loss": 5.0, "val_metric": 5.0, "test_metric": 5.5, "spec": "b"},
        {"outcome": "failed", "val_loss": np.nan, "val_metric": np.nan, "test_metric": np.nan, "spec": "c"},
        {"outcome": "crashed", "spec": "d"},
        {"outcome": "learned", "val_loss": 0.2, "val_metric": 0.2, "test_metric": 0.3, "spec": "a"},
    ]
    trials = prepare(
        pd.DataFrame(rows).assign(**base, lr=0.1, seed=0, loss_at_init=1.0, trivial=0.9, pair="p")
    )
    assert list(trials["loss"]) == [0.2, 1.0, 1.0]
    assert list(trials["score"]) == [0.3, 5.5, 1.0]
    assert list(trials["failed"]) == [False, False, True]


def test_cases_and_arms_are_told_apart():
    base = {
        "task": "nbody",
        "model": "egnn",
        "metric_goal": "min",
        "metric": "mse",
        "outcome": "learned",
        "lr": 0.1,
    }
    rows = [
        {"arm": "strict", "method": "strict", "training.optimizer": "adam", "spec": "a"},
        {"arm": "strict", "method": "strict", "training.optimizer": "sgd", "spec": "b"},
        {"arm": "relaxed", "method": "relaxed", "method.lie": 0.1, "training.optimizer": "adam", "spec": "c"},
        {"arm": "relaxed", "method": "relaxed", "method.lie": 0.2, "training.optimizer": "adam", "spec": "d"},
    ]
    numbers = dict.fromkeys(["val_loss", "val_metric", "test_metric", "loss_at_init", "trivial"], 1.0)
    trials = prepare(pd.DataFrame(rows).assign(**base, **numbers, seed=0))
    assert trials["case"].nunique() == 2
    assert trials["case"].str.contains("optimizer=sgd").sum() == 1
    assert set(trials["arm"]) == {"strict", "relaxed (method.lie=0.1)", "relaxed (method.lie=0.2)"}
    assert set(controls(trials).values()) == {"strict"}


def test_the_edition_of_an_optimizer_tells_cases_apart_only_where_one_optimizer_has_two():
    base = {"task": "nbody", "model": "egnn", "method": "strict", "arm": "strict", "lr": 0.1, "seed": 0}
    rows = [
        {"training.optimizer": "adam", "spec": "a"},
        {"training.optimizer": "muon", "training.optimizer_revision": 2, "spec": "b"},
    ]
    cases = name_cases(pd.DataFrame(rows).assign(**base))["case"]
    assert list(cases) == [f"nbody · egnn, training.optimizer={name}" for name in ("adam", "muon")]
    rows.append({"training.optimizer": "muon", "spec": "c"})
    cases = name_cases(pd.DataFrame(rows).assign(**base))["case"]
    assert cases.nunique() == 3
    assert cases[1].endswith("training.optimizer=muon, training.optimizer_revision=2.0")


def test_one_optimizer_alone_says_nothing_of_its_edition():
    base = {"task": "nbody", "model": "egnn", "method": "strict", "arm": "strict", "lr": 0.1, "seed": 0}
    rows = [{"training.optimizer": "muon", "training.optimizer_revision": 2, "spec": spec} for spec in "ab"]
    assert set(name_cases(pd.DataFrame(rows).assign(**base))["case"]) == {"nbody · egnn"}


def test_training_share_is_of_each_workers_own_time():
    busy = {"worker": "a:1", "started": [100.0, 110.0], "seconds": [8.0, 10.0]}  # 18 of 20 seconds
    late = {"worker": "b:2", "started": [500.0], "seconds": [5.0]}  # 5 of 5
    trials = pd.concat([pd.DataFrame(busy), pd.DataFrame(late)], ignore_index=True)
    assert training_share(trials) == pytest.approx(23 / 25)
    unknown = pd.DataFrame({"worker": [None], "started": [np.nan], "seconds": [30.0]})
    assert training_share(pd.concat([trials, unknown])) == pytest.approx(23 / 25)
    assert training_share(unknown) is None


def test_cost_is_in_processor_seconds_where_every_trial_of_the_case_has_them():
    both = {"failed": False, "epochs": 10, "params_train": 1.0, "params_final": 1.0}
    rows = [
        {"case": case, "arm": arm, "seconds": 100.0, "cpu_seconds": cpu, **both}
        for case, arm, cpu in (
            *(("new", "strict", 20.0), ("new", "ace", 30.0)),
            *(("mixed", "strict", 20.0), ("mixed", "ace", np.nan)),
        )
    ]
    found = cost(pd.DataFrame(rows)).set_index(["case", "arm"])
    assert list(found["unit"]) == ["CPU", "CPU", "wall", "wall"]
    assert list(found["seconds_per_epoch"]) == [2.0, 3.0, 10.0, 10.0]
