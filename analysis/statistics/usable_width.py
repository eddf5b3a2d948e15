"""How wide is the range of learning rates that can be used?"""

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials

NEAR_BEST = 0.1
MOST_FAILURES = 0.2
DRAWS = 500


@takes_trials
def usable_widths(trials: pd.DataFrame) -> pd.DataFrame:
    """Decades of learning rate with a median loss within 10% of the arm's best and fewer than 20% failures.

    10% of its size: a loss may be negative.

    Returns:
        Columns case, arm, decades, low, high, censored: '' or the end of the grid ('lowest', 'highest', 'both') that
        is itself usable, so that the true width may be larger. Each rate stands for the stretch halfway to its
        neighbors. The interval is a percentile bootstrap over whole seeds (a seed is drawn at all rates at once).
    """
    rows = []
    for (case, arm), arm_trials in trials.dropna(subset="loss").groupby(["case", "arm"], sort=False):
        loss = arm_trials.pivot_table(index="seed", columns="lr", values="loss", sort=True)
        failed = arm_trials.assign(failed=arm_trials["failed"].astype(float)).pivot_table(
            index="seed", columns="lr", values="failed", sort=True
        )
        failed = failed.reindex(columns=loss.columns)
        stretches = _stretches(np.log10(loss.columns.to_numpy(float)))
        usable = _usable(loss.to_numpy()[None], failed.to_numpy()[None])[0]
        draws = np.random.default_rng(0).integers(len(loss), size=(DRAWS, len(loss)))
        widths = _usable(loss.to_numpy()[draws], failed.to_numpy()[draws]) @ stretches
        low, high = np.quantile(widths, [0.025, 0.975]) if len(loss) > 1 else (np.nan, np.nan)
        ends = {(True, True): "both", (True, False): "lowest", (False, True): "highest"}
        row = {"decades": float(usable @ stretches), "low": float(low), "high": float(high)}
        rows.append({"case": case, "arm": arm, **row, "censored": ends.get((usable[0], usable[-1]), "")})
    return pd.DataFrame(rows, columns=["case", "arm", "decades", "low", "high", "censored"])


def _usable(loss: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Which rates are usable, (draws, rates) from (draws, seeds, rates); NaN for missing trials."""
    known = np.isfinite(loss)
    some = known.any(axis=1)
    medians = np.where(some, np.nanmedian(np.where(some[:, None], loss, 0.0), axis=1), np.inf)
    shares = np.nansum(failed, axis=1) / np.maximum(known.sum(axis=1), 1)
    best = medians.min(axis=1, keepdims=True)
    return (medians <= best + NEAR_BEST * np.abs(best)) & (shares < MOST_FAILURES) & some


def _stretches(places: np.ndarray) -> np.ndarray:
    """Half the distance to each neighbor, (rates,); they add up to the length of the grid."""
    gaps = np.diff(places) / 2
    return np.append(gaps, 0) + np.insert(gaps, 0, 0)
