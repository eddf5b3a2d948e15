"""What does an arm cost?"""

import pandas as pd


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
