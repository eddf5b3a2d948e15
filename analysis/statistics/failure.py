"""How often does training fail?"""

import pandas as pd

from analysis.statistics.intervals import wilson


def failure_rates(trials: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of failed trials for each group of `by`, with Wilson's 95% interval.

    Returns one row per group: the columns of `by`, failed, n, rate, low, high. The interval takes the trials of a
    group as equally likely to fail: right for one arm at one learning rate; for a whole grid see `grid_failure`.
    """
    table = trials.groupby(by, sort=False)["failed"].agg(failed="sum", n="size").reset_index()
    low, high = wilson(table["failed"], table["n"])
    return table.assign(rate=table["failed"] / table["n"], low=low, high=high)
