"""Loss against the learning rate: the curve of each arm."""

import pandas as pd

from analysis.prepare import takes_trials


@takes_trials
def loss_curve(trials: pd.DataFrame) -> pd.DataFrame:
    """Median and range over seeds of the loss at each learning rate, failed trials at their loss at initialization.

    Returns:
        One row per case, arm and lr: n, failed, median, low (best seed), high (worst seed), q1, q3.
    """
    groups = trials.groupby(["case", "arm", "lr"], sort=False)
    table = groups["loss"].agg(n="size", median="median", low="min", high="max")
    quartiles = {name: groups["loss"].quantile(share) for name, share in (("q1", 0.25), ("q3", 0.75))}
    table = table.assign(failed=groups["failed"].sum(), **quartiles)
    return table.reset_index().sort_values(["case", "arm", "lr"], kind="stable", ignore_index=True)
