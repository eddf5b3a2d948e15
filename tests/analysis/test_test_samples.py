"""Differences over seeds and test samples, and how much of an error comes from few samples."""

import numpy as np
import pytest
from scipy import stats

from analysis.load import load_results, load_test_errors
from analysis.prepare import prepare
from analysis.report import write_report
from analysis.statistics.best_setting import choose_rates, paired_differences
from analysis.statistics.intervals import t_interval
from analysis.statistics.samples import (
    crossed_interval,
    num_worst,
    sample_differences,
    worst_samples,
    worst_share,
)

ARMS = {"strict": {"name": "strict"}, "ace": {"name": "ace"}}


def crossed(random, seeds, samples, spreads, studies=None):
    """Numbers (studies, seeds, samples) around 0 with these standard deviations of seeds, samples and the rest."""
    shapes = ((studies, seeds, 1), (studies, 1, samples), (studies, seeds, samples))
    return sum(spread * random.normal(size=shape) for spread, shape in zip(spreads, shapes, strict=True))


def test_the_variance_of_the_mean_is_that_of_its_parts():
    """Against the formula written out for a table of 2 seeds and 3 samples."""
    values = np.array([[1.0, 2.0, 6.0], [3.0, 7.0, 5.0]])
    found = crossed_interval(values)
    assert found.mean == 4.0
    between_seeds, between_samples = 2.0, np.var([2, 4.5, 5.5], ddof=1)
    effects = np.array([[-1.0], [1.0]]) + np.array([-2.0, 0.5, 1.5]) + 4
    residual = ((values - effects) ** 2).sum() / 2
    variance = between_seeds / 2 + between_samples / 3 - residual / 6
    freedom = variance**2 / (1.0**2 / 1 + (between_samples / 3) ** 2 / 2 + (residual / 6) ** 2 / 2)
    reach = stats.t.ppf(0.975, freedom) * variance**0.5
    assert (found.low, found.high) == pytest.approx((4 - reach, 4 + reach))
    assert found.from_samples == pytest.approx(1 - 1.0 / variance)


def test_if_samples_do_not_matter_it_is_students_interval_over_seeds():
    values = np.repeat(np.array([[1.0], [2.0], [4.0]]), 200, axis=1)
    found = crossed_interval(values)
    assert (found.low, found.high) == pytest.approx(
        tuple(map(float, t_interval(values.mean(), values[:, 0].std(ddof=1), 3)))
    )
    assert found.from_samples == pytest.approx(0)


def test_too_few_have_no_interval():
    for values in (np.ones((1, 10)), np.ones((10, 1)), np.ones((0, 0))):
        assert np.isnan(crossed_interval(values)[1:]).all()
    assert crossed_interval(np.ones((2, 2)))[:3] == (1, 1, 1)


def test_the_worst_samples():
    assert worst_share(np.ones(1000)) == pytest.approx(0.01)
    assert worst_share(np.append(np.ones(99), 101.0)) == pytest.approx(101 / 200)
    assert worst_share(np.append(np.zeros(49), 1.0)) == 1
    assert np.isnan(worst_share(np.zeros(5)))
    assert [num_worst(n) for n in (5, 100, 149, 2000)] == [1, 1, 1, 20]


def test_the_pairs_are_those_of_the_scores(study):
    trials, errors = prepare(load_results(folder := study(arms=ARMS)).trials), load_test_errors(folder)
    rates = choose_rates(trials)
    known, found = (
        paired_differences(trials, rates, "strict"),
        sample_differences(trials, errors, rates, "strict"),
    )
    assert list(found["pairs"]) == list(known["pairs"])
    assert list(found["samples"]) == [50]
    for ours, theirs in (("difference", "difference"), ("seeds_low", "low"), ("seeds_high", "high")):
        assert found[ours].to_numpy() == pytest.approx(known[theirs].to_numpy(), rel=1e-4)
    carried = worst_samples(trials, errors, rates)
    chosen = trials.merge(rates, on=["case", "arm", "lr"])
    first = chosen[(chosen["arm"] == "strict") & ~chosen["failed"]]["trial"]
    shares = [worst_share(errors[errors["trial"] == one]["position_mse"].to_numpy()) for one in first]
    strict = carried[carried["arm"] == "strict"].iloc[0]
    assert (strict["share"], strict["least"], strict["most"]) == pytest.approx(
        (np.median(shares), min(shares), max(shares))
    )
    assert (strict["trials"], strict["worst"]) == (len(shares), 1)


def test_the_page_has_both_tables_and_a_damaged_file_costs_its_trial(no_figures, study):
    folder = study(arms=ARMS, seeds=3)
    summary = write_report([folder], folder)
    before = summary["tables"]["sample_contrasts"][0]["pairs"]
    page = (folder / "report" / "report.html").read_text()
    assert "Would the difference hold on another test set?" in page
    assert "How much of the test metric depends on a few samples?" in page
    trials = prepare(load_results(folder).trials)
    chosen = trials.merge(choose_rates(trials), on=["case", "arm", "lr"])
    lost = chosen[(chosen["arm"] == "ace") & ~chosen["failed"]]["trial"].iloc[0]
    (folder / "trials" / lost / "test_errors.parquet").write_bytes(b"cut short")
    summary = write_report([folder], folder)
    assert summary["tables"]["sample_contrasts"][0]["pairs"] == before - 1
    assert sum(lost in note for note in summary["notes"]) == 1


def test_accuracies_have_no_worst_samples(no_figures, study):
    folder = study(arms=ARMS, goal="max", seeds=3)
    tables = write_report([folder], folder)["tables"]
    assert "sample_contrasts" in tables
    assert "worst_samples" not in tables


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "spreads"),
    [("seeds decide", (0.1, 0.1, 1)), ("both", (0.03, 0.5, 0.5)), ("samples decide", (0.005, 1, 0.5))],
)
def test_the_interval_over_seeds_and_samples_covers(name, spreads):
    """2,000 studies of 5 seeds and 500 samples of which the worst 1% account for 14%, as with n-body models.

    The interval over seeds alone, which takes the test set as fixed, does not cover if samples matter.
    """
    random = np.random.default_rng(9)
    covered, naive = [], []
    for _ in range(20):
        sizes = np.exp(1.25 * random.normal(size=(100, 1, 500)) - 1.25**2 / 2)
        values = -0.2 * sizes + sizes * crossed(random, 5, 500, spreads, 100)
        found = [crossed_interval(one) for one in values]
        covered += [one.low <= -0.2 <= one.high for one in found]
        means = values.mean(axis=2)
        low, high = t_interval(means.mean(axis=1), means.std(axis=1, ddof=1), 5)
        naive += list((low <= -0.2) & (high >= -0.2))
    print(f"sample_differences, {name}: covers {np.mean(covered):.3f}, over seeds alone {np.mean(naive):.3f}")
    assert 0.93 <= np.mean(covered) <= 0.97
    assert (np.mean(naive) < 0.8) == (name != "seeds decide")
