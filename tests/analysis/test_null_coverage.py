"""Coverage and level of statements about null results, in 2,000 simulated studies of 5 seeds."""

import numpy as np
import pytest

from analysis.measured import COVERAGE
from analysis.statistics.budget import best_of, best_of_band
from analysis.statistics.equivalence import equivalent_failures, equivalent_scores
from analysis.statistics.seeds_needed import seeds_for_score, seeds_for_score_interval
from analysis.statistics.time_to_target import paired_interval

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
STUDIES, SEEDS = 2000, 5


def share_above_level(found, level=0.05):
    """How much a test exceeds its level, in standard errors of the simulation."""
    return (np.mean(found) - level) / np.sqrt(level * (1 - level) / len(found))


def test_a_difference_as_large_as_the_bound_is_called_equivalent_in_one_of_twenty_studies():
    random = np.random.default_rng(0)
    theirs = 1 + random.normal(0, 0.05, (STUDIES, SEEDS))
    ours = 1.1 + 0.7 * (theirs - 1) + random.normal(0, 0.03, (STUDIES, SEEDS))
    found = [equivalent_scores(*pair, 0.1) for pair in zip(ours, theirs, strict=True)]
    print(f"equivalent scores at the bound: {np.mean(found):.3f}")
    assert abs(share_above_level(found)) < 3.5


@pytest.mark.parametrize("discordant", [0.1, 0.3])
def test_failure_rates_as_far_apart_as_the_bound_are_rarely_called_equivalent(discordant):
    random = np.random.default_rng(1)
    only = [(discordant + 0.1) / 2, (discordant - 0.1) / 2]
    both = 0.2
    counts = random.multinomial(70, [both, *only, 1 - both - sum(only)], STUDIES)
    found = [equivalent_failures(tuple(map(int, row)), 0.1) for row in counts]
    print(f"equivalent failure rates at the bound: {np.mean(found):.3f}")
    assert share_above_level(found) < 3.5


def test_the_interval_of_the_seeds_needed_covers():
    random = np.random.default_rng(2)
    true = seeds_for_score(0.8, 1.0)
    found = np.array([seeds_for_score_interval(0.8, random.normal(0, 1, SEEDS)) for _ in range(STUDIES)])
    covered = np.mean((found[:, 1] <= true) & (true <= found[:, 2]))
    print(f"seeds_needed: covers {covered:.3f}")
    assert 0.93 <= covered <= 0.97


def test_the_paired_difference_of_times_to_target():
    """Log-normal times with luck shared by a seed, cut at the horizon; up to a fifth of the trials fail."""
    random = np.random.default_rng(3)
    horizon, covered = 100.0, []
    for _ in range(STUDIES):
        medians = random.uniform(20, 80, 2)
        spread, failing = random.uniform(0.05, 0.4), random.uniform(0, 0.2, 2)
        low, high = paired_interval(_gains(random, medians, spread, failing, horizon, SEEDS))
        true = float(_gains(random, medians, spread, failing, horizon, 4000).mean())
        covered.append(low <= true <= high)
    print(f"time_to_target: covers {np.mean(covered):.3f}")
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def _gains(random, medians, spread, failing, horizon, n):
    luck = random.normal(0, spread, n)
    own = random.normal(0, spread, (2, n))
    times = np.minimum(medians[:, None] * np.exp(luck + own), horizon)
    first, second = np.where(random.random((2, n)) < failing[:, None], horizon, times)
    return first - second


def test_the_band_of_the_expected_best_contains_the_whole_curve():
    """35 trials on a grid of seven learning rates, each with its own loss and chance to fail."""
    random = np.random.default_rng(4)
    sizes, covered = np.arange(1, 36), []
    for _ in range(STUDIES):
        medians = 0.012 * np.exp(random.uniform(0, 1, (7, 1)))
        chance = np.sort(random.uniform(0, 1, (7, 1)), axis=0) ** 3
        low, high = best_of_band(_scores(random, medians, chance, SEEDS), sizes, -0.11, 0.0)
        true = best_of(_scores(random, medians, chance, 600), sizes)
        covered.append(((low <= true + 1e-12) & (true <= high + 1e-12)).all())
    print(f"expected_best: covers {np.mean(covered):.4f}")
    assert np.mean(covered) == pytest.approx(COVERAGE["expected_best"], abs=0.01)


def _scores(random, medians, chance, n):
    loss = np.minimum(medians * np.exp(random.normal(0, 0.2, (7, n))), 0.11)
    return -np.where(random.random((7, n)) < chance, 0.11, loss).ravel()
