"""How much is lost by not choosing the learning rate?"""

import numpy as np
import pandas as pd
from scipy import stats

UNSEEN = 0.002


def rate_sensitivity(trials: pd.DataFrame) -> pd.DataFrame:
    """Learning-rate sensitivity of each case and arm, with the best loss, since a uniformly bad arm is insensitive.

    Wortsman et al. 2023 (arXiv 2309.14322): mean over the logarithmic grid of min(loss, loss at initialisation), minus
    the best of it over the grid; here of means over seeds. Returns case, arm, sensitivity, low, high, best_loss, best_lr.

    The interval is Welch and Satterthwaite's for that contrast of means, which covers 95% with five seeds where the
    percentile bootstrap covers 80%. The variance at each rate is taken with 0.002 trials more at the loss at
    initialisation and at the arm's median learned loss: with none, rates where all seeds agree seem certain.
    """
    rows = []
    for (case, arm), arm_trials in trials.dropna(subset="loss").groupby(["case", "arm"], sort=False):
        cells = arm_trials.groupby("lr", sort=True)["loss"].agg(["mean", "size"])
        best = int(cells["mean"].argmin())
        contrast = np.full(len(cells), 1 / len(cells))
        contrast[best] -= 1
        reach = _welch(arm_trials, contrast)
        estimate = float(contrast @ cells["mean"])
        best_loss, best_rate = float(cells["mean"].iloc[best]), float(cells.index[best])
        row = {"sensitivity": estimate, "low": estimate - reach, "high": estimate + reach}
        rows.append({"case": case, "arm": arm, **row, "best_loss": best_loss, "best_lr": best_rate})
    return pd.DataFrame(rows, columns=["case", "arm", "sensitivity", "low", "high", "best_loss", "best_lr"])


def _welch(arm_trials: pd.DataFrame, contrast: np.ndarray) -> float:
    """Half the width of the interval of a contrast of the rates' mean losses; NaN with one seed a rate."""
    learned = arm_trials.loc[~arm_trials["failed"], "loss"].median()
    unseen = [arm_trials["failed_loss"].median(), learned if np.isfinite(learned) else arm_trials["loss"].median()]
    variances, sizes = [], []
    for _, losses in arm_trials.groupby("lr", sort=True)["loss"]:
        values = np.append(losses.to_numpy(), unseen)
        weights = np.append(np.ones(len(losses)), [UNSEEN, UNSEEN])
        variances.append(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights))
        sizes.append(len(losses))
    variances, sizes = np.array(variances), np.array(sizes)
    if sizes.max() < 2:
        return float("nan")
    freedom = np.maximum(sizes - 1, 1)
    # A rate with one trial left shows no variance of its own; it is taken to vary as the others do.
    single = sizes < 2
    parts = contrast**2 * np.where(single, (variances * sizes / freedom)[~single].mean(), variances / freedom)
    if parts.sum() == 0:
        return 0.0
    satterthwaite = parts.sum() ** 2 / np.sum(parts**2 / freedom)
    return float(stats.t.ppf(0.975, satterthwaite) * np.sqrt(parts.sum()))
