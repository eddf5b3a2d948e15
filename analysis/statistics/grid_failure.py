"""How often does training fail over the grid, each learning rate counting the same?"""

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials
from analysis.statistics import unseen
from analysis.statistics.failure import failure_rates
from analysis.statistics.intervals import wilson


@takes_trials
def grid_failure_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean over the learning rates of the share of failed trials, for each case and arm, with a 95% interval.

    Returns:
        Columns case, arm, failed, n, rate, low, high; see `grid_share` for the interval.
    """
    cells = failure_rates(trials, ["case", "arm", "lr"])
    rows = []
    for (case, arm), cell in cells.groupby(["case", "arm"], sort=False):
        rate, low, high = grid_share(cell["failed"].to_numpy(float), cell["n"].to_numpy(float))
        total = {"failed": cell["failed"].sum(), "n": cell["n"].sum()}
        rows.append(
            {"case": case, "arm": arm, **total, "rate": float(rate), "low": float(low), "high": float(high)}
        )
    return pd.DataFrame(rows, columns=["case", "arm", "failed", "n", "rate", "low", "high"])


def grid_share(counts: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the cells of counts / n and its 95% interval; counts (cells, ...), n (cells,), results (...).

    The grid is fixed and the seeds are random, so only the variance within each cell counts. The interval is Wilson's
    for the number of trials that would have that variance in one sample (the effective sample size of Korn and
    Graubard 1998, Survey Methodology 24:193). The variance is computed with 0.05 additional trials of either outcome
    in each cell: cells where all five seeds agree would otherwise seem certain. This interval replaces the percentile
    bootstrap over seeds within each learning rate, which covers 62% to 92% with five seeds.
    """
    n = n.reshape(-1, *[1] * (counts.ndim - 1))
    share = (counts / n).mean(axis=0)
    if n.min() < 2:
        effective = np.full(share.shape, n.sum())
    else:
        rates = (counts + unseen.GRID_FAILURE) / (n + 2 * unseen.GRID_FAILURE)
        variance = np.sum(rates * (1 - rates) / (n - 1), axis=0) / len(n) ** 2
        effective = rates.mean(axis=0) * (1 - rates.mean(axis=0)) / variance
    low, high = wilson(share * effective, effective)
    return share, low, high
