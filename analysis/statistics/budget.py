"""How good is the best of a budget of n trials?"""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import takes_trials

MOST_POINTS = 60


@takes_trials
def expected_best(trials: pd.DataFrame) -> pd.DataFrame:
    """Expected best validation score of n trials drawn at random from those run, for each case and arm.

    Dodge et al. 2019 (arXiv 1909.03004): for scores to maximize, the sum over v of v (P(V <= v)^n - P(V < v)^n)
    with the observed shares; mirrored for scores to minimize. n goes up to the number of trials run and no further.

    Returns:
        Columns case, arm, n, best, low, high: a 95% band for all n at once.
    """
    rows = []
    for (case, arm), arm_trials in trials.dropna(subset="val_score").groupby(["case", "arm"], sort=False):
        larger = (arm_trials["metric_goal"] == "max").any()
        sign = 1.0 if larger else -1.0
        scores = sign * arm_trials["val_score"].to_numpy(float)
        sizes = np.unique(np.geomspace(1, len(scores), min(MOST_POINTS, len(scores))).round().astype(int))
        worst = min(scores.min(), sign * arm_trials["failed_score"].median())
        perfect = 1.0 if larger else 0.0  # for an accuracy, and for an error
        ends = [worst if np.isfinite(worst) else scores.min(), max(scores.max(), perfect)]
        best = sign * best_of(scores, sizes)
        low, high = np.sort([sign * edge for edge in best_of_band(scores, sizes, *ends)], axis=0)
        rows.append(
            pd.DataFrame({"case": case, "arm": arm, "n": sizes, "best": best, "low": low, "high": high})
        )
    columns = ["case", "arm", "n", "best", "low", "high"]
    nothing = pd.DataFrame(columns=columns).astype(dict.fromkeys(columns[2:], float))
    return pd.concat(rows, ignore_index=True) if rows else nothing


def best_of(scores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Expected largest of n draws with replacement from `scores` (trials,), for each n of `sizes`."""
    values, counts = np.unique(scores, return_counts=True)
    return _mean_of_largest(values, np.cumsum(counts) / counts.sum(), sizes)


def best_of_band(
    scores: np.ndarray, sizes: np.ndarray, worst: float, perfect: float
) -> tuple[np.ndarray, np.ndarray]:
    """A 95% band about the expected largest of n draws that holds for all n at once, (sizes,) each.

    Kolmogorov's exact band about the distribution of the scores, carried through to the curve (Lourie et al. 2023,
    arXiv 2311.09480, who do so for its median): the share of trials that the band allows beyond those seen is put at
    `perfect` on the one side and at `worst` on the other.
    """
    values, counts = np.unique(scores, return_counts=True)
    below = np.cumsum(counts) / counts.sum()
    reach = float(stats.kstwo.ppf(0.95, len(scores)))
    lowest = np.minimum(np.append(reach, below + reach), 1)
    highest = np.append(np.maximum(below - reach, 0), 1)
    low = _mean_of_largest(np.append(worst, values), lowest, sizes)
    high = _mean_of_largest(np.append(values, perfect), highest, sizes)
    return low, high


def _mean_of_largest(values: np.ndarray, below: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean of the largest of n draws, where `below` is the share of values up to each of `values`, (values,) each."""
    powers = below ** sizes[:, None]
    return np.diff(powers, axis=1, prepend=0) @ values
