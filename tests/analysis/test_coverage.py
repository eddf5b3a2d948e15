"""The statistics themselves, on 2,000 simulated studies of 5 seeds x 7 learning rates with known truth."""

import numpy as np
import pandas as pd
import pytest
from populations import AT_INIT, PLACES, SEEDS, STUDIES, Population, table, two_arms
from scipy import stats

from analysis.measured import COVERAGE
from analysis.statistics import unseen
from analysis.statistics.best_setting import (
    choose_rates,
    paired_differences,
    paired_scores,
    scores_at,
    sign_flip_test,
)
from analysis.statistics.grid_failure import grid_failure_rates
from analysis.statistics.improvement import probability_of_improvement
from analysis.statistics.intervals import wilson
from analysis.statistics.onset import failure_curve, half_failure_rates
from analysis.statistics.paired import mcnemar_exact, newcombe_paired
from analysis.statistics.profiles import LEVELS, performance_profiles
from analysis.statistics.sensitivity import rate_sensitivity
from analysis.statistics.usable_width import usable_widths
from analysis.statistics.without_tuning import interquartile_means, middle_rates

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ALLOWED = (0.93, 0.97)


@pytest.fixture(scope="module")
def population():
    return Population(STUDIES, 1)


@pytest.fixture(scope="module")
def truth(population):
    return population.truth()


@pytest.fixture(scope="module")
def trials(population):
    return table(*population.draw(SEEDS))


def check(name, low, high, true):
    """Assert that 93% to 97% of the intervals contain the truth, or the share that the report shows."""
    covered = float(np.mean((np.asarray(low) <= true) & (true <= np.asarray(high))))
    print(f"{name}: covers {covered:.3f}")
    if name in COVERAGE:
        assert covered == pytest.approx(COVERAGE[name], abs=0.015)
    else:
        assert ALLOWED[0] <= covered <= ALLOWED[1]


def test_wilson():
    random = np.random.default_rng(0)
    chance = random.uniform(0.02, 0.98, 20_000)
    check("wilson", *wilson(random.binomial(5, chance), np.full(len(chance), 5)), chance)


def test_grid_failure_rate(population, trials):
    found = grid_failure_rates(trials)
    check("grid_failure_rate", found["low"], found["high"], population.chance.mean(axis=1))


@pytest.mark.parametrize("weight", [0.01, 0.2])
def test_another_weight_of_the_unseen_does_not_cover(weight, population, trials, monkeypatch):
    monkeypatch.setattr(unseen, "GRID_FAILURE", weight)
    found = grid_failure_rates(trials)
    true = population.chance.mean(axis=1)
    covered = np.mean((found["low"].to_numpy() <= true) & (true <= found["high"].to_numpy()))
    assert not ALLOWED[0] <= covered <= ALLOWED[1]


def test_half_failure_rate(population, trials):
    found = half_failure_rates(trials).sort_values("arm")
    low, high = np.log10(found["low"]).fillna(-np.inf), np.log10(found["high"]).fillna(np.inf)
    check("half_failure_rate", low, high, population.onset)


def test_failure_curve(population, trials):
    """Pointwise, at the learning rates of the grid, from the one with the fewest failures upward."""
    counts = trials.groupby(["arm", "lr"])["failed"].sum().unstack()
    found, true = [], []
    for study, failed in enumerate(counts.to_numpy(float)):
        curve = failure_curve(10**PLACES, failed, np.full(7, float(SEEDS)))
        if len(curve):
            start = int(np.argmin(failed))
            at = [np.interp(PLACES[start:], np.log10(curve["lr"]), curve[name]) for name in ("low", "high")]
            found.append(np.array(at))
            true.append(population.chance[study, start:])
    low, high = np.concatenate(found, axis=1)
    check("failure_curve", low, high, np.concatenate(true))


def test_performance_profiles(population, trials):
    """Pointwise, at ten levels of skill; the scale of skill is given."""
    loss, _ = population.draw(2000, slice(0, 500))
    scale = AT_INIT - 0.008
    some = trials[trials["arm"] < 500]
    found = performance_profiles(some.assign(skill=((AT_INIT - some["score"]) / scale).clip(0, 1)))
    found = found[found["level"].isin(LEVELS[:50:5])]  # at the last level no trial is better than the best
    skill = ((AT_INIT - loss) / scale).clip(0, 1)
    true = np.stack([(skill > level).mean(axis=(1, 2)) for level in LEVELS[:50:5]], axis=1)
    check("performance_profiles", found["low"] - 1e-9, found["high"] + 1e-9, true.ravel())


def test_paired_scores_at_the_chosen_rates(population, truth):
    """Two arms, each at the rate that validation chose for it, over the seeds with which both learned."""
    better = Population(STUDIES, 1)
    better.median, better.random = population.median * 0.9, np.random.default_rng(10)
    learned = better.truth()[2]
    low, high, true = [], [], []
    ours, theirs = table(*better.draw(SEEDS)), table(*population.draw(SEEDS))
    both = pd.concat([ours.assign(name="new"), theirs.assign(name="strict")])
    for study, mine in both.rename(columns={"arm": "study", "name": "arm"}).groupby("study"):
        rates = choose_rates(mine)
        found = paired_differences(mine, rates, "strict").iloc[0]
        if found["pairs"] > 1:
            places = np.searchsorted(10**PLACES, rates.set_index("arm")["lr"] * 0.999)
            at = dict(zip(rates["arm"], places, strict=True))
            low.append(found["low"])
            high.append(found["high"])
            true.append(learned[study, at["new"]] - truth[2][study, at["strict"]])
    check("best_contrasts", low, high, np.array(true))


def test_rate_sensitivity(trials, truth):
    found = rate_sensitivity(trials)
    check("rate_sensitivity", found["low"], found["high"], truth[0].mean(axis=1) - truth[0].min(axis=1))


def test_interquartile_mean(trials, truth):
    found = interquartile_means(trials)
    check("interquartile_mean", found["low"], found["high"], truth[3])


def test_usable_width(population, trials, truth):
    found = usable_widths(trials)
    usable = (truth[1] <= 1.1 * truth[1].min(axis=1, keepdims=True)) & (population.chance < 0.2)
    stretches = np.full(7, 0.5)
    stretches[[0, -1]] = 0.25
    check("usable_width", found["low"] - 1e-9, found["high"] + 1e-9, usable @ stretches)


def test_best_setting(trials, truth):
    rates = choose_rates(trials)
    found = scores_at(trials, rates)
    chosen = np.searchsorted(10**PLACES, found["lr"] * 0.999)
    check("best_setting", found["low"], found["high"], truth[2][np.arange(STUDIES), chosen])


def test_middle_rate(trials, truth):
    found = scores_at(trials, middle_rates(trials))
    several = found["learned"].to_numpy() > 1
    check("middle_rate", found["low"][several], found["high"][several], truth[2][several, 3])


def test_paired_scores_at_a_fixed_rate():
    """Two arms share a seed's luck, which pairing removes."""
    random = np.random.default_rng(3)
    luck = random.normal(0, 1e-3, (STUDIES, 1, SEEDS))
    loss = np.array([0.010, 0.012])[:, None] + luck + random.normal(0, 5e-4, (STUDIES, 2, SEEDS))
    study, arm, seed = (index.ravel() for index in np.indices(loss.shape))
    names = np.array(["new", "strict"])[arm]
    studies = pd.DataFrame(
        {"case": study, "arm": names, "lr": 0.1, "seed": seed, "score": loss.ravel(), "failed": False}
    )
    rates = pd.DataFrame({"case": 0, "arm": ["new", "strict"], "lr": 0.1})
    found = [paired_scores(one.assign(case=0), rates, "strict").iloc[0] for _, one in studies.groupby("case")]
    check("paired_scores", [row["low"] for row in found], [row["high"] for row in found], -0.002)


def test_paired_failures(population):
    """Newcombe's interval over pairs whose chances differ along the grid, arms failing half a decade apart."""
    random = np.random.default_rng(4)
    chance = population.chance
    other = 1 / (1 + np.exp(-6 * (PLACES - population.onset[:, None] - random.uniform(0, 0.5, (STUDIES, 1)))))
    first, second = (random.random((STUDIES, 7, SEEDS)) < share[:, :, None] for share in (other, chance))
    counts = [
        (f & s).sum((1, 2))
        for f, s in ((first, second), (first, ~second), (~first, second), (~first, ~second))
    ]
    found = np.array([newcombe_paired(*map(int, row)) for row in np.transpose(counts)])
    check("paired_failures", found[:, 1], found[:, 2], (other - chance).mean(axis=1))


def test_probability_of_improvement():
    """At its own weight; `python tests/analysis/improvement_weight.py` tries the others."""
    studies, true = zip(*two_arms(500), strict=True)
    found = [probability_of_improvement(both, {"one": "strict"}).iloc[0] for both in studies]
    check(
        "probability_of_improvement",
        [row["low"] for row in found],
        [row["high"] for row in found],
        np.array(true),
    )


def test_equal_arms_give_uniform_p_values():
    """Both tests are exact: an attainable p value k/32 occurs with exactly that frequency, no level is exceeded."""
    random = np.random.default_rng(6)
    p = np.array([sign_flip_test(random.normal(size=5)) for _ in range(STUDIES)])
    for level in np.arange(2, 33, 2) / 32:
        assert np.mean(p <= level + 1e-9) == pytest.approx(
            level, abs=4 * np.sqrt(level * (1 - level) / STUDIES) + 1e-9
        )
    p = np.array([sign_flip_test(random.normal(size=12)) for _ in range(STUDIES)])
    assert stats.kstest(p, "uniform").pvalue > 0.001
    discordant = random.binomial(35, 0.3, STUDIES)
    p = np.array([mcnemar_exact(k, n - k) for n in discordant for k in [int(random.binomial(n, 0.5))]])
    for level in (0.01, 0.05, 0.1, 0.2, 0.5):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level * (1 - level) / STUDIES)


@pytest.mark.parametrize(("only_arm", "only_control"), [(0.02, 0.2), (0.05, 0.3), (0.1, 0.2)])
def test_known_effects_are_found_with_the_power_of_the_formula(only_arm, only_control):
    """McNemar's exact test against the sum over its own rejection region (Duffy 1984)."""
    random = np.random.default_rng(7)
    pairs = 35
    total = only_arm + only_control
    promised = sum(
        stats.binom.pmf(n, pairs, total) * stats.binom.pmf(k, n, only_arm / total)
        for n in range(pairs + 1)
        for k in range(n + 1)
        if mcnemar_exact(k, n - k) <= 0.05
    )
    drawn = random.multinomial(pairs, [only_arm, only_control, 1 - total], STUDIES)
    found = np.mean([mcnemar_exact(int(a), int(c)) <= 0.05 for a, c, _ in drawn])
    assert found == pytest.approx(promised, abs=4 * np.sqrt(promised * (1 - promised) / STUDIES))


def test_power_of_the_paired_difference_of_scores():
    """Student's interval excludes 0 as often as the noncentral t says."""
    random = np.random.default_rng(8)
    effect = 1.8
    differences = random.normal(effect, 1, (STUDIES, SEEDS))
    reach = stats.t.ppf(0.975, SEEDS - 1) * differences.std(axis=1, ddof=1) / np.sqrt(SEEDS)
    found = np.mean(np.abs(differences.mean(axis=1)) > reach)
    shift, edge = effect * np.sqrt(SEEDS), stats.t.ppf(0.975, SEEDS - 1)
    promised = stats.nct.sf(edge, SEEDS - 1, shift) + stats.nct.cdf(-edge, SEEDS - 1, shift)
    assert found == pytest.approx(promised, abs=4 * np.sqrt(promised * (1 - promised) / STUDIES))
