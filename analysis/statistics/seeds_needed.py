"""How many seeds would a study need to see a given difference, by the spread that was measured?"""

import math

import numpy as np
from scipy import stats

LEVEL, POWER = 0.05, 0.8
MOST_SEEDS = 100_000


def seeds_for_score(difference: float, sd: float) -> int:
    """The least seeds with which the paired t test at 5% sees a `difference` of mean scores in 80% of studies.

    sd: of the paired differences. By the noncentral t distribution. 2 where nothing varies, 100,000 where that is
    not enough.
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
    """The least seeds with which McNemar's test at 5% sees a `difference` of failure rates in 80% of studies.

    discordant: share of pairs of which one trial failed, at least as large as the difference
    pairs_per_seed: how many pairs a seed gives, one at each point of the grid
    Connor 1987 (Biometrics 43:207).
    """
    discordant = max(discordant, difference)
    reach = stats.norm.ppf(1 - LEVEL / 2) * math.sqrt(discordant)
    reach += stats.norm.ppf(POWER) * math.sqrt(discordant - difference**2)
    return max(2, math.ceil(round((reach / difference) ** 2 / pairs_per_seed, 9)))
