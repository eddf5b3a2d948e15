"""How many seeds would a study need to detect a given difference, with the spread that was measured?"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import each_case, first_round, split_searched, takes_trials
from analysis.statistics.best_setting import choose_rates, score_pairs

LEVEL, POWER = 0.05, 0.8
MOST_SEEDS = 100_000


@takes_trials
def seeds_needed(
    trials: pd.DataFrame,
    failure_rate: float = 0.1,
    score: float = 0.05,
    rates: pd.DataFrame | None = None,
    control: str | None = None,
) -> pd.DataFrame:
    """How many seeds would show a difference between each other arm of a case and its control.

    Args:
        failure_rate: The difference of failure rates, a share of trials.
        score: The difference of test scores, a share of the control's mean.
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.
        control: An arm, each study's own if None.

    Returns:
        One row per case and arm: case, arm, control, score, failure_rate, seeds, low, high (for the score, with its
        95% interval) and failure_seeds (from the grid alone: a later round has one pair where a seed of the grid has
        one at each point); NaN if there are too few pairs.
    """
    rates = choose_rates(trials) if rates is None else rates

    def needed(mine: pd.DataFrame, against: str) -> pd.DataFrame:
        arms = [arm for arm in mine["arm"].unique() if arm != against]
        return pd.DataFrame([_needed(mine, rates, arm, against, failure_rate, score) for arm in arms])

    return each_case(trials, needed, control)


def _needed(
    mine: pd.DataFrame, rates: pd.DataFrame, arm: str, control: str, failure_rate: float, score: float
) -> dict[str, Any]:
    """The row of one arm of one case."""
    ours, theirs = score_pairs(mine, rates, arm, control).T
    row = {"arm": arm, "control": control, "score": score, "failure_rate": failure_rate}
    row |= dict.fromkeys(("seeds", "low", "high", "failure_seeds"), np.nan)
    difference = score * abs(float(theirs.mean())) if len(theirs) else 0.0
    if len(theirs) > 1 and difference > 0:
        found = seeds_for_score_interval(difference, ours - theirs)
        row |= dict(zip(("seeds", "low", "high"), map(float, found), strict=True))
    grid = first_round(split_searched(mine)[0])
    outcomes = grid.drop_duplicates(["arm", "pair"]).pivot(index="pair", columns="arm", values="failed")
    pairs = outcomes.reindex(columns=[arm, control]).dropna()
    if len(pairs):
        discordant = float((pairs[arm] != pairs[control]).mean())
        row["failure_seeds"] = seeds_for_failures(
            failure_rate, discordant, len(pairs) / grid["seed"].nunique()
        )
    return row


def seeds_for_score(difference: float, sd: float) -> int:
    """The fewest seeds with which the paired t test at 5% detects a `difference` of mean scores in 80% of studies.

    Args:
        sd: Standard deviation of the paired differences.

    Returns:
        A number by the noncentral t distribution; 2 if nothing varies, 100,000 if more would be needed.
    """
    if not sd > 0:
        return 2
    low, high = 2, MOST_SEEDS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(difference / sd, middle) >= POWER else (middle + 1, high)
    return low


def _power(effect: float, n: int) -> float:
    """Chance that the t test of n differences of mean `effect` and sd 1 rejects on the side of the effect."""
    return float(stats.nct.sf(stats.t.ppf(1 - LEVEL / 2, n - 1), n - 1, abs(effect) * math.sqrt(n)))


def seeds_for_score_interval(difference: float, differences: np.ndarray) -> tuple[int, int, int]:
    """Seeds needed by the measured sd of paired differences (pairs,), and their 95% interval.

    A standard deviation of five seeds is itself uncertain, by a factor of five: the interval is that of the sd by the
    chi-squared distribution (Browne 1995, Statistics in Medicine 14:1933, on sizing by a pilot's spread).
    """
    freedom = len(differences) - 1
    sd = float(differences.std(ddof=1))
    ends = [sd * math.sqrt(freedom / stats.chi2.ppf(share, freedom)) for share in (0.975, 0.025)]
    low, high = (seeds_for_score(difference, end) for end in ends)
    return seeds_for_score(difference, sd), low, high


def seeds_for_failures(difference: float, discordant: float, pairs_per_seed: float) -> int:
    """The fewest seeds with which McNemar's test at 5% detects a `difference` of failure rates in 80% of studies.

    Connor 1987 (Biometrics 43:207).

    Args:
        discordant: Share of pairs in which only one trial failed, at least as large as the difference.
        pairs_per_seed: How many pairs a seed gives, one at each point of the grid.
    """
    discordant = max(discordant, difference)
    reach = stats.norm.ppf(1 - LEVEL / 2) * math.sqrt(discordant)
    reach += stats.norm.ppf(POWER) * math.sqrt(discordant - difference**2)
    return max(2, math.ceil(round((reach / difference) ** 2 / pairs_per_seed, 9)))
