"""How often does training fail?"""

from collections.abc import Sequence

import pandas as pd

from analysis.prepare import takes_trials
from analysis.statistics.intervals import wilson


@takes_trials
def failure_rates(trials: pd.DataFrame, by: Sequence[str] = ("case", "arm", "lr")) -> pd.DataFrame:
    """Share of failed trials for each group of `by`, with Wilson's 95% interval.

    Returns:
        One row per group: the columns of `by`, failed, n, rate, low, high. The interval assumes that the trials of a
        group are equally likely to fail: right for one arm at one learning rate; for a whole grid see `grid_failure`.
    """
    table = trials.groupby(list(by), sort=False)["failed"].agg(failed="sum", n="size").reset_index()
    low, high = wilson(table["failed"], table["n"])
    return table.assign(rate=table["failed"] / table["n"], low=low, high=high)
