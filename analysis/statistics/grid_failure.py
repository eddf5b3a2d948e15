"""How often does training fail over the grid, each learning rate counting the same?"""

import numpy as np
import pandas as pd

from analysis.statistics.failure import failure_rates
from analysis.statistics.intervals import wilson

UNSEEN = 0.1


def grid_failure_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean over the learning rates of the share of failed trials, for each case and arm, with a 95% interval.

    Returns case, arm, failed, n, rate, low, high. The grid is fixed and the seeds are random, so only the variance
    within each rate counts. The interval is Wilson's with the number of trials that would have that variance in one
    sample (the effective sample size of Korn and Graubard 1998, Survey Methodology 24:193). The variance is taken with
    0.1 failed and 0.1 learned trials more at each rate: rates where all five seeds agree would otherwise seem certain.
    It replaces the percentile bootstrap over seeds, which covers 62% to 92% with five seeds.
    """
    cells = failure_rates(trials, ["case", "arm", "lr"])
    rows = []
    for (case, arm), cell in cells.groupby(["case", "arm"], sort=False):
        failed, n, rates = cell["failed"].sum(), cell["n"].sum(), cell["rate"].to_numpy()
        effective = _effective_size(cell["failed"].to_numpy(float), cell["n"].to_numpy(float))
        low, high = wilson(rates.mean() * effective, effective)
        row = {"failed": failed, "n": n, "rate": rates.mean(), "low": float(low), "high": float(high)}
        rows.append({"case": case, "arm": arm, **row})
    return pd.DataFrame(rows, columns=["case", "arm", "failed", "n", "rate", "low", "high"])


def _effective_size(failed: np.ndarray, n: np.ndarray) -> float:
    """Size of one sample whose rate varies as much as the mean of the cells' rates; all trials if cells hold one."""
    if n.min() < 2:
        return float(n.sum())
    rates = (failed + UNSEEN) / (n + 2 * UNSEEN)
    variance = np.sum(rates * (1 - rates) / (n - 1)) / len(n) ** 2
    return float(rates.mean() * (1 - rates.mean()) / variance)
