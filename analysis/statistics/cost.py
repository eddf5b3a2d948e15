"""What does an arm cost, and how busy were the machines?"""

import pandas as pd

from analysis.prepare import takes_trials


@takes_trials
def cost(trials: pd.DataFrame) -> pd.DataFrame:
    """Parameters and time of each case and arm, over its learned trials (failed ones may have stopped early).

    Returns case, arm, n, seconds_per_epoch (median), seconds (median of a trial), params_train, params_final
    (medians).
    """
    learned = trials[~trials["failed"]]
    per_epoch = learned["seconds"] / learned["epochs"].where(learned["epochs"] > 0)
    groups = learned.assign(seconds_per_epoch=per_epoch).groupby(["case", "arm"], sort=False)
    numbers = ["seconds_per_epoch", "seconds", "params_train", "params_final"]
    return (
        groups[numbers].median().join(groups.size().rename("n")).reset_index()[["case", "arm", "n", *numbers]]
    )


@takes_trials
def training_share(trials: pd.DataFrame) -> float | None:
    """The share of the time of all workers that trials took; None where no trial says when it began.

    A worker's time goes from the begin of its first trial to the end of its last; what is missing to 1 went into
    testing, recording, and waiting for the next trial.
    """
    timed = trials.dropna(subset=["worker", "started"])
    if timed["seconds"].sum() == 0:
        return None
    workers = timed.assign(ended=timed["started"] + timed["seconds"]).groupby("worker")
    return float(timed["seconds"].sum() / (workers["ended"].max() - workers["started"].min()).sum())
