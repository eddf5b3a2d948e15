"""Is the delivered model exactly equivariant?"""

import pandas as pd

from analysis.prepare import takes_trials


@takes_trials
def equivariance(trials: pd.DataFrame) -> pd.DataFrame:
    """Largest |f(gx) - g f(x)| / |f(x)| over the trials of each case and arm, in float64.

    Returns:
        Columns case, arm, measured (trials with a number), n, largest.
    """
    groups = trials.groupby(["case", "arm"], sort=False)["equivariance_error"]
    return groups.agg(measured="count", n="size", largest="max").reset_index()
