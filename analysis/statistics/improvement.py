"""How probable is it that an arm does better than the control?"""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import controls as controls_of
from analysis.prepare import takes_trials
from analysis.statistics import unseen
from analysis.statistics.cells import cell_variances, welch_freedom


@takes_trials
def probability_of_improvement(trials: pd.DataFrame, controls: dict[str, str] | None = None) -> pd.DataFrame:
    """Chance that a random trial of an arm beats a random trial of the control of its case, the mean over the cases.

    Mann and Whitney's U / (n m) on the test score over the whole grid, ties counting half (Agarwal et al. 2021, arXiv
    2108.13264). controls: case -> arm, each study's own if None.

    Returns:
        Columns arm, cases, probability, low, high. The 95% interval uses the variance of DeLong et al. 1988
        (Biometrics 44:837), taken within each case and learning rate, in place of the stratified percentile
        bootstrap, which covers 83% with five seeds.
    """
    controls = controls_of(trials) if controls is None else controls
    trials = trials.dropna(subset="score")
    found: dict[str, list[tuple[float, np.ndarray, np.ndarray]]] = {}
    for case, control in controls.items():
        mine = trials[trials["case"] == case]
        against = mine[mine["arm"] == control]
        for arm, arm_trials in mine[mine["arm"] != control].groupby("arm", sort=False):
            if len(against):
                found.setdefault(arm, []).append(_one_case(arm_trials, against))
    rows = []
    for arm, cases in found.items():
        probability = float(np.mean([estimate for estimate, _, _ in cases]))
        parts = np.concatenate([parts for _, parts, _ in cases]) / len(cases) ** 2
        freedom = np.concatenate([freedom for _, _, freedom in cases])
        reach = stats.t.ppf(0.975, welch_freedom(parts, freedom)) * np.sqrt(parts.sum())
        low, high = np.clip([probability - reach, probability + reach], 0, 1)
        rows.append({"arm": arm, "cases": len(cases), "probability": probability, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["arm", "cases", "probability", "low", "high"])


def _one_case(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[float, np.ndarray, np.ndarray]:
    """The probability in one case, and the parts of its variance with their degrees of freedom."""
    sign = 1.0 if (ours["metric_goal"] == "max").any() else -1.0
    (probability, *first), (_, *second) = _placed(ours, theirs, sign), _placed(theirs, ours, sign)
    variances, freedom = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    return probability, variances, freedom


def _placed(ours: pd.DataFrame, theirs: pd.DataFrame, sign: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean share of `theirs` that each of `ours` beats; the parts of its variance and their freedom for each rate."""
    ordered = np.sort(sign * theirs["score"].to_numpy())
    placements = pd.Series(_share_below(ordered, sign * ours["score"].to_numpy()), ours.index)
    as_failed = _share_below(ordered, sign * ours["failed_score"].median())
    rare = [as_failed, placements.where(~ours["failed"]).median()]
    shares = ours.groupby("lr", sort=True).size().to_numpy() / len(ours)
    try:
        variances, freedom = cell_variances(placements.to_numpy(), ours["lr"], rare, unseen.IMPROVEMENT)
    except ValueError:
        variances, freedom = np.full(len(shares), np.nan), np.ones(len(shares))
    return float(placements.mean()), shares**2 * variances, freedom


def _share_below(ordered: np.ndarray, values: np.ndarray | float) -> np.ndarray:
    """The share of `ordered` below each value, equal ones counting half."""
    return (
        (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right"))
        / 2
        / len(ordered)
    )
