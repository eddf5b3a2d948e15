"""Where does training start to fail? The learning rate at which half of the seeds do.

The chance of failure is a logistic curve in log lr whose middle and slope are unknown. Both have a posterior
(uniform in the middle and in the logarithm of the slope), and LR50, its interval, the drawn curve and its band are
quantiles of it, as in adaptive threshold measurements (psi method, Kontsevich and Tyler 1999, Vision Res. 39:2729).
A posterior does not depend on the rule by which trials were added. An interval that is cut out of the likelihood at
its best slope does: if a few seeds happen to fail in order, the slope seems steep and the interval narrow, and
exactly then a refined study stops (in simulation such intervals covered 78% of true edges).
"""

from typing import Any

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials

SLOPES = np.geomspace(
    2, 100, 30
)  # logits per decade: 10% to 90% failures over two decades, or over a 20th of one
MIDDLES = 401
CURVES = 1000  # drawn from the posterior for the band
QUANTILES = (0.025, 0.5, 0.975)


@takes_trials
def half_failure_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """LR50 for each case and arm, from the learning rate with the fewest failures upwards.

    Returns:
        Columns case, arm, lr50, low, high (95% interval of the posterior), censored: '' or why there is no number:
        'above' (fewer than half fail at the highest rate) or 'below' (half fail at every rate considered), and
        lowest, the rate with the fewest failures. low and high are NaN if the interval leaves the rates from
        `lowest` upwards on that side.
    """
    ordered = trials.sort_values("lr", kind="stable")
    cells = ordered.groupby(["case", "arm", "lr"], sort=False)["failed"].agg(["sum", "size"]).reset_index()
    rows = []
    for (case, arm), cell in cells.groupby(["case", "arm"], sort=False):
        found = half_failure_rate(*(cell[name].to_numpy(float) for name in ("lr", "sum", "size")))
        rows.append({"case": case, "arm": arm, **found})
    return pd.DataFrame(rows, columns=["case", "arm", "lr50", "low", "high", "censored", "lowest"])


def half_failure_rate(rates: np.ndarray, failed: np.ndarray, n: np.ndarray) -> dict[str, Any]:
    """LR50 of one arm, the median of its posterior, from the failures at increasing learning rates, each (rates,).

    Returns:
        lr50, low, high, censored and lowest as in `half_failure_rates`; censored is 'too few trials' with fewer than
        two rates or four trials.
    """
    start = int(np.argmin(failed / n))  # below it lie failures to learn at too small a rate, another edge
    rates, failed, n = rates[start:], failed[start:], n[start:]
    if len(rates) < 2 or n.sum() < 4:
        unknown = dict.fromkeys(("lr50", "low", "high"), np.nan)
        return {**unknown, "censored": "too few trials", "lowest": float(rates[0])}
    place = np.log10(rates)
    middles, weights = _posterior(place, failed, n)
    mass = weights.sum(axis=0)
    low, middle, high = np.interp(QUANTILES, np.cumsum(mass) - mass / 2, middles)
    low, high = (10**edge if place[0] <= edge <= place[-1] else np.nan for edge in (low, high))
    censored = "above" if middle > place[-1] else "below" if middle < place[0] else ""
    lr50 = np.nan if censored else 10**middle
    return {"lr50": lr50, "low": low, "high": high, "censored": censored, "lowest": float(rates[0])}


def failure_curve(rates: np.ndarray, failed: np.ndarray, n: np.ndarray, points: int = 300) -> pd.DataFrame:
    """The chance of failure and its 95% band: quantiles of the posterior that `half_failure_rate` reads LR50 from.

    Each argument (rates,), at increasing learning rates.

    Returns:
        Columns lr, chance, low, high at `points` rates from the one with the fewest failures to the largest; no rows
        if there are too few trials.
    """
    start = int(np.argmin(failed / n))
    rates, failed, n = rates[start:], failed[start:], n[start:]
    if len(rates) < 2 or n.sum() < 4:
        return pd.DataFrame(columns=["lr", "chance", "low", "high"], dtype=float)
    place = np.log10(rates)
    middles, weights = _posterior(place, failed, n)
    # Draws at even steps of the cumulative weights: a sample without randomness.
    drawn = np.searchsorted(np.cumsum(weights), (np.arange(CURVES) + 0.5) / CURVES)
    slope, middle = np.unravel_index(drawn, weights.shape)
    at = np.linspace(place[0], place[-1], points)
    curves = _chance(SLOPES[slope, None], at - middles[middle, None])
    low, chance, high = np.quantile(curves, QUANTILES, axis=0)
    return pd.DataFrame({"lr": 10**at, "chance": chance, "low": low, "high": high})


def _posterior(place: np.ndarray, failed: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles (log10 rates) and the weight of each slope and middle, (slopes, middles), which sum to 1."""
    margin = 0.5 * (place[-1] - place[0])
    middles = np.linspace(place[0] - margin, place[-1] + margin, MIDDLES)
    logits = np.clip(SLOPES[:, None, None] * (place - middles[:, None]), -30, 30)
    misfit = np.log(1 + np.exp(-logits)) @ n + logits @ (n - failed)
    weights = np.exp(misfit.min() - misfit)
    return middles, weights / weights.sum()


def _chance(slope: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(slope * distance, -30, 30)))
