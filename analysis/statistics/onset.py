"""Where does training start to fail? The learning rate at which half of the seeds do."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

SLOPES = np.geomspace(1, 2000, 50)  # logits per decade, from a transition over the whole grid to a step
MIDDLES = 401


def half_failure_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """LR50 for each case and arm, from the learning rate with the fewest failures upwards.

    Returns case, arm, lr50, low, high (profile-likelihood 95% interval), censored: '' or why there is no number:
    'above' (fewer than half fail at the highest rate) or 'below' (half fail at every rate looked at).
    low and high are NaN where the interval leaves the grid on that side.
    """
    ordered = trials.sort_values("lr", kind="stable")
    cells = ordered.groupby(["case", "arm", "lr"], sort=False)["failed"].agg(["sum", "size"]).reset_index()
    rows = []
    for (case, arm), cell in cells.groupby(["case", "arm"], sort=False):
        found = half_failure_rate(*(cell[name].to_numpy(float) for name in ("lr", "sum", "size")))
        rows.append({"case": case, "arm": arm, **found})
    return pd.DataFrame(rows, columns=["case", "arm", "lr50", "low", "high", "censored"])


def half_failure_rate(rates: np.ndarray, failed: np.ndarray, n: np.ndarray) -> dict[str, Any]:
    """LR50 of one arm from the failures at increasing learning rates, each (rates,).

    A logistic curve in log lr; the interval holds every middle whose likelihood, at its best slope, is not rejected
    (profile likelihood, Venzon and Moolgavkar 1988, Appl. Statist. 37:87) by an F(1, trials - 2) quantile for the
    small sample. Unlike a bootstrap's it is not empty where all seeds fail together: the middle may then lie anywhere
    between.
    """
    start = int(np.argmin(failed / n))  # below it lie failures to learn at too small a rate, another edge
    rates, failed, n = rates[start:], failed[start:], n[start:]
    if len(rates) < 2 or n.sum() < 4:
        return {"lr50": np.nan, "low": np.nan, "high": np.nan, "censored": "too few trials"}
    place = np.log10(rates)
    middles, fits = _fits(place, failed, n)
    likelihood = -fits.min(axis=0)
    best = likelihood.max()
    kept = middles[2 * (best - likelihood) <= stats.f.ppf(0.95, 1, n.sum() - 2)]
    middle = middles[likelihood >= best - 1e-6].mean()
    low, high = (10**edge if place[0] <= edge <= place[-1] else np.nan for edge in (kept[0], kept[-1]))
    censored = "above" if middle > place[-1] else "below" if middle < place[0] else ""
    return {"lr50": np.nan if censored else 10**middle, "low": low, "high": high, "censored": censored}


def failure_curve(rates: np.ndarray, failed: np.ndarray, n: np.ndarray, points: int = 300) -> pd.DataFrame:
    """The chance of failure that `half_failure_rate` fits, with the band of all curves that it does not reject.

    Each argument (rates,), at increasing learning rates. Returns lr, chance, low, high at `points` rates from the one
    with the fewest failures to the largest; no row where there are too few trials.
    """
    start = int(np.argmin(failed / n))
    rates, failed, n = rates[start:], failed[start:], n[start:]
    if len(rates) < 2 or n.sum() < 4:
        return pd.DataFrame(columns=["lr", "chance", "low", "high"], dtype=float)
    place = np.log10(rates)
    middles, fits = _fits(place, failed, n)
    slope, middle = np.nonzero(2 * (fits - fits.min()) <= stats.f.ppf(0.95, 1, n.sum() - 2))
    at = np.linspace(place[0], place[-1], points)
    curves = _chance(SLOPES[slope, None], at - middles[middle, None])
    # Where a step fits best, every middle between two rates does: the mean of those curves is drawn.
    best = fits[slope, middle] <= fits.min() + 1e-6
    columns = {"chance": curves[best].mean(axis=0), "low": curves.min(axis=0), "high": curves.max(axis=0)}
    return pd.DataFrame({"lr": 10**at, **columns})


def _fits(place: np.ndarray, failed: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles (log10 rates) and the negative log likelihood of each slope and middle, (slopes, middles)."""
    margin = 0.5 * (place[-1] - place[0])
    middles = np.linspace(place[0] - margin, place[-1] + margin, MIDDLES)
    logits = np.clip(SLOPES[:, None, None] * (place - middles[:, None]), -30, 30)
    return middles, np.logaddexp(0, -logits) @ n + logits @ (n - failed)


def _chance(slope: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(slope * distance, -30, 30)))
