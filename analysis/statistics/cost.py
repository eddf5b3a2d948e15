"""What does an arm cost, and how busy were the machines?"""

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials

CPU, WALL = "CPU", "wall"
"""The units of the seconds of `cost`: processor seconds of all threads and processes, or seconds by the clock."""


@takes_trials
def cost(trials: pd.DataFrame) -> pd.DataFrame:
    """Parameters and time of each case and arm, over its learned trials (failed ones may have stopped early).

    Returns:
        Columns case, arm, n, unit, seconds_per_epoch (median), seconds (median of a trial), params_train,
        params_final (medians). The unit is CPU if all learned trials of a case have processor seconds; else the
        seconds are wall seconds, for every trial of the case, since arms must be compared in one unit.
    """
    learned = trials[~trials["failed"]]
    unmeasured = learned["cpu_seconds"].isna().groupby(learned["case"]).transform("any")
    paid = learned["seconds"].where(unmeasured, learned["cpu_seconds"])
    per_epoch = paid / learned["epochs"].where(learned["epochs"] > 0)
    learned = learned.assign(seconds=paid, seconds_per_epoch=per_epoch)
    groups = learned.assign(unit=np.where(unmeasured, WALL, CPU)).groupby(["case", "arm"], sort=False)
    numbers = ["seconds_per_epoch", "seconds", "params_train", "params_final"]
    table = groups[numbers].median().join(groups.agg(n=("unit", "size"), unit=("unit", "first")))
    return table.reset_index()[["case", "arm", "n", "unit", *numbers]]


@takes_trials
def training_share(trials: pd.DataFrame) -> float | None:
    """The share of the time of all workers that trials took; None if no trial recorded when it began.

    A worker's time runs from the start of its first trial to the end of its last; the rest went into testing,
    recording, and waiting for the next trial.
    """
    timed = trials.dropna(subset=["worker", "started"])
    if timed["seconds"].sum() == 0:
        return None
    workers = timed.assign(ended=timed["started"] + timed["seconds"]).groupby("worker")
    return float(timed["seconds"].sum() / (workers["ended"].max() - workers["started"].min()).sum())
