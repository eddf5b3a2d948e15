"""Intervals of a single proportion and of a mean."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95


def wilson(failed: ArrayLike, n: ArrayLike, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a proportion, `failed` of `n` >= 1 (Wilson 1927, JASA 22:209); arrays of any shape."""
    low, high = proportion_confint(
        np.asarray(failed, float), np.asarray(n, float), 1 - level, method="wilson"
    )
    return np.asarray(low), np.asarray(high)


def t_interval(
    mean: ArrayLike, sd: ArrayLike, n: ArrayLike, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Student's interval of a mean from the mean and sd of n values; NaN if n < 2."""
    n = np.asarray(n, float)
    reach = stats.t.ppf((1 + level) / 2, np.where(n > 1, n - 1, np.nan)) * np.asarray(sd, float) / np.sqrt(n)
    return np.asarray(mean, float) - reach, np.asarray(mean, float) + reach
