"""How much does an arm depend on hyperparameters being tuned again for each task?"""

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials

ENOUGH = 0.95


@takes_trials
def hyperparameter_sensitivity(
    trials: pd.DataFrame, hyperparameters: tuple[str, ...] = ("lr",)
) -> pd.DataFrame:
    """Sensitivity and effective dimensionality of each arm over the cases as environments; needs two cases or more.

    Adkins, Bowling and White 2024 (arXiv 2412.07165). Performance is the mean validation score over seeds, on a scale
    from the 5th to the 95th percentile of all settings of all arms in the case. sensitivity: mean over cases of
    the best setting's performance, minus that of the one setting that is best on average. dimensionality: the least
    number of hyperparameters that must be tuned for each case, the others staying at that one setting, to reach 95%
    of what tuning all of them reaches.

    Returns:
        Columns arm, cases, tuned, fixed, sensitivity, dimensionality.
    """
    rows = []
    for arm, table in _performance(trials, list(hyperparameters)).groupby("arm", sort=False):
        grid = table.pivot(index="case", columns=list(hyperparameters), values="performance").dropna(axis=1)
        if len(grid) < 2 or grid.shape[1] == 0:
            continue
        settings = [setting if isinstance(setting, tuple) else (setting,) for setting in grid.columns]
        values = grid.to_numpy()
        fixed = int(values.mean(axis=0).argmax())
        tuned = float(values.max(axis=1).mean())
        row = {"arm": arm, "cases": len(grid), "tuned": tuned, "fixed": float(values[:, fixed].mean())}
        dimensionality = _dimensionality(values, settings, settings[fixed], ENOUGH * tuned)
        rows.append({**row, "sensitivity": tuned - row["fixed"], "dimensionality": dimensionality})
    return pd.DataFrame(rows, columns=["arm", "cases", "tuned", "fixed", "sensitivity", "dimensionality"])


def _performance(trials: pd.DataFrame, hyperparameters: list[str]) -> pd.DataFrame:
    """Normalized performance of each case, arm and setting: larger is better."""
    sign = np.where(trials["metric_goal"] == "max", 1.0, -1.0)
    signed = trials.assign(performance=sign * trials["val_score"])
    means = signed.groupby(["case", "arm", *hyperparameters], sort=False)["performance"].mean().reset_index()
    low, high = (means.groupby("case")["performance"].transform("quantile", share) for share in (0.05, 0.95))
    spread = (high - low).where(high > low)
    return means.assign(performance=(means["performance"] - low) / spread)


def _dimensionality(values: np.ndarray, settings: list[tuple], fixed: tuple, enough: float) -> int:
    """The least number of tuned hyperparameters that reaches `enough`; values (cases, settings)."""
    for number in range(len(fixed)):
        for tuned in combinations(range(len(fixed)), number):
            kept = [index for index in range(len(fixed)) if index not in tuned]
            reachable = [all(setting[index] == fixed[index] for index in kept) for setting in settings]
            if values[:, reachable].max(axis=1).mean() >= enough:
                return number
    return len(fixed)
