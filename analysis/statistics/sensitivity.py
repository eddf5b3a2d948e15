"""How much is lost by not choosing the learning rate?"""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import takes_trials
from analysis.statistics import unseen
from analysis.statistics.cells import cell_variances, welch_freedom


@takes_trials
def rate_sensitivity(trials: pd.DataFrame) -> pd.DataFrame:
    """Learning-rate sensitivity of each case and arm, with the best loss, since a uniformly bad arm is insensitive.

    Wortsman et al. 2023 (arXiv 2309.14322): mean over the logarithmic grid of min(loss, loss at initialization),
    minus its best value over the grid; here for means over seeds.

    Returns:
        Columns case, arm, sensitivity, low, high, best_loss, best_lr. The 95% interval is Welch's for that contrast
        of means; with five seeds it covers 95%, where the percentile bootstrap over seeds covers 80%.
    """
    rows = []
    for (case, arm), mine in trials.dropna(subset="loss").groupby(["case", "arm"], sort=False):
        means = mine.groupby("lr", sort=True)["loss"].mean()
        best = int(means.argmin())
        contrast = np.full(len(means), 1 / len(means))
        contrast[best] -= 1
        estimate, reach = float(contrast @ means), _reach(mine, contrast)
        row = {"sensitivity": estimate, "low": estimate - reach, "high": estimate + reach}
        best_setting = {"best_loss": float(means.iloc[best]), "best_lr": float(means.index[best])}
        rows.append({"case": case, "arm": arm, **row, **best_setting})
    return pd.DataFrame(rows, columns=["case", "arm", "sensitivity", "low", "high", "best_loss", "best_lr"])


def _reach(mine: pd.DataFrame, contrast: np.ndarray) -> float:
    """Half the width of the interval of a contrast of the rates' mean losses; NaN with one seed at each."""
    rare = [mine["failed_loss"].median(), mine["loss"].where(~mine["failed"]).median()]
    try:
        variances, freedom = cell_variances(mine["loss"].to_numpy(), mine["lr"], rare, unseen.SENSITIVITY)
    except ValueError:
        return float("nan")
    parts = contrast**2 * variances
    return float(stats.t.ppf(0.975, welch_freedom(parts, freedom)) * np.sqrt(parts.sum()))
