"""Each statistic of failures against an independent computation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from small_grid import grid
from statsmodels.stats.multitest import multipletests

from analysis.statistics.failure import failure_rates
from analysis.statistics.grid_failure import grid_failure_rates, grid_share
from analysis.statistics.holm import holm
from analysis.statistics.intervals import wilson
from analysis.statistics.onset import failure_curve, half_failure_rate
from analysis.statistics.paired import mcnemar_exact, newcombe_paired, paired_failures
from analysis.tables import as_markdown
from analysis.tables.failures import onset


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


def test_pairs_leave_out_trials_that_one_arm_lacks():
    strict = grid(np.ones((4, 2)), failed=[[0, 0], [0, 0], [1, 1], [1, 1]])
    other = grid(np.ones((4, 2)), arm="ace", failed=[[0, 0], [0, 0], [0, 1], [1, 1]])
    row = paired_failures(pd.concat([strict, other.iloc[:-1]]), "strict").iloc[0]
    assert row[["pairs", "both", "only_arm", "only_control", "neither"]].tolist() == [7, 2, 0, 1, 4]
    assert row["difference"] == pytest.approx(-1 / 7)


def test_grid_failure_rate_weights_rates_equally():
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
    assert rates[4] < found["lr50"] < rates[5]  # a clean step may be anywhere between, so the middle
    assert np.log10(found["lr50"]) == pytest.approx(-1.75, abs=0.02)
    assert found["low"] < rates[4] * 1.15
    assert found["high"] > rates[5] * 0.87
    assert half_failure_rate(rates, np.zeros(7), seeds)["censored"] == "above"
    assert half_failure_rate(rates, seeds.copy(), seeds)["censored"] == "below"
    too_small = np.array([5, 3, 0, 0, 0, 2, 5.0])  # failures to learn at small rates are another edge
    assert half_failure_rate(rates, too_small, seeds)["lr50"] > rates[4]


def test_an_onset_below_the_rates_considered_is_not_below_the_grid():
    """At the two lowest rates training is too slow: failures start somewhere below 1e-2, maybe above 1e-3."""
    failed = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]], bool)
    text = as_markdown(onset(grid(np.ones((4, 3)), failed=failed).assign(round=1)))
    assert "[below 1e-2, " in text
    at_lowest = as_markdown(onset(grid(np.ones((4, 3)), failed=failed[[2, 3, 3, 3]]).assign(round=1)))
    assert "[below the grid, " in at_lowest


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
