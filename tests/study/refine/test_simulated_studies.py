"""Intervals and tests keep their promises under the adaptive rule, and the rule pays off: the truth is known.

Each bound is that of a binomial around the result of many more studies (analysis/README.md has the table); a correct
program misses one in a thousand.
"""

from math import inf

import numpy as np
import pandas as pd
import pytest
from grids import ARMS, FIVE_ARMS, RATES, mostly, refined_trials
from scipy import stats
from simulated import CURVES, EDGE, GRID, SCORE, Simulated, answers

from analysis.statistics.precision import precision
from study.refine.rule import wanted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STUDIES, SCORED = 15, 250
SCORED_TO = 0.03  # about a dozen pairs suffice, so that stopping too early would show most
EDGE_COVERED = {
    "sharp edge, arms alike": 0.981,
    "flat edge, arms alike": 0.969,
    "sharp edges, arms differ": 0.998,
    "flat edges, arms differ": 0.933,
    "two edges in the grid": 0.949,
    "edge outside": 0.999,
    "1% fail everywhere": 0.980,
}
DIFFERENCE_COVERED = 0.938
FOUND_AT_5_PERCENT = 0.061  # of arms that are alike: stopping at a narrow interval costs a point


def assert_covers(held: pd.Series, share: float) -> None:
    """Assert that the number of intervals that contain the truth is plausible for a coverage of `share`."""
    low, high = stats.binom.ppf([0.0005, 0.9995], len(held), share)
    assert low <= held.sum() <= high, f"{held.sum()} of {len(held)} cover the truth, {share:.1%} expected"


@pytest.fixture(scope="module")
def edges():
    """The answers of refined studies of each curve that ask only for edges."""
    return {
        name: pd.concat(answers(curve, number, score=inf) for number in range(STUDIES))
        for name, curve in CURVES.items()
    }


@pytest.fixture(scope="module")
def scores():
    """The answers of refined studies of arms that are alike, which ask only for scores."""
    curve = CURVES["1% fail everywhere"]
    found = pd.concat(answers(curve, number, edge=inf, score=SCORED_TO) for number in range(SCORED))
    return found[found["arm"] != "arm0"]


@pytest.mark.parametrize("name", CURVES)
def test_intervals_of_the_edge_contain_it(edges, name):
    assert (edges[name]["edge"] <= EDGE).all()
    assert_covers(edges[name]["covers_edge"], EDGE_COVERED[name])


def test_intervals_of_the_edge_contain_it_over_all_curves(edges):
    assert_covers(pd.concat(edges.values())["covers_edge"], np.mean(list(EDGE_COVERED.values())))


def test_intervals_of_paired_differences_contain_them_if_some_trials_fail(scores):
    assert (scores["score"] <= SCORED_TO).all()
    assert_covers(scores["covers_difference"], DIFFERENCE_COVERED)


def test_arms_that_are_alike_give_nearly_uniform_p_values(scores):
    p = scores["p"][(scores["arm"] == "arm1") & scores["alike"]]  # arms of a study share their control
    assert len(p) > 0.9 * SCORED
    assert_covers(p <= 0.05, FOUND_AT_5_PERCENT)
    assert stats.kstest(p, "uniform").pvalue > 0.001


@pytest.mark.parametrize("name", CURVES)
def test_the_whole_rule_agrees_that_nothing_is_missing(name):
    """The simulation counts failures and scores itself, for speed; a study's table gives the same widths."""
    study = Simulated(CURVES[name], 0).grid(GRID, 2)
    rates = study.chosen()
    study.refine()
    planned = pd.concat({"one": study.planned()})
    assert wanted(study.table(), planned, EDGE, SCORE) == []
    widths = precision(study.table())
    assert widths["edge"].to_numpy() == pytest.approx(study.edges()["edge"].to_numpy())
    assert widths["score"].to_numpy() == pytest.approx(study.scores(rates)["score"].to_numpy(), nan_ok=True)


def test_no_fixed_grid_with_three_times_the_trials_is_as_precise():
    curve = FIVE_ARMS["sharp edges, arms differ"]
    most = 3 * refined_trials(curve, 3)
    for rates in RATES:
        seeds = int(most / (ARMS * rates))
        assert not mostly(curve, 3, rates, seeds), f"{rates} rates with {seeds} seeds do in {most:.0f} trials"
