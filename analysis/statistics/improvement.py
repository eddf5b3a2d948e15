"""How probable is it that an arm does better than the control?"""

import numpy as np
import pandas as pd

from analysis.statistics.bootstrap import percentiles, stratified_weights

MOST_PRODUCTS = 4e9


def probability_of_improvement(trials: pd.DataFrame, controls: dict[str, str]) -> pd.DataFrame:
    """Chance that a random trial of an arm beats a random trial of the control of its case, the mean over the cases.

    Mann and Whitney's U / (n m) on the test score over the whole grid, ties counting half (Agarwal et al. 2021, arXiv
    2108.13264). controls: case -> arm. Returns arm, cases, probability, low, high (percentile interval of a stratified
    bootstrap, trials drawn within each case and learning rate).
    """
    trials = trials.dropna(subset="score")
    found: dict[str, list[tuple[float, np.ndarray]]] = {}
    for case, control in controls.items():
        mine = trials[trials["case"] == case]
        against = mine[mine["arm"] == control]
        for arm, arm_trials in mine[mine["arm"] != control].groupby("arm", sort=False):
            if len(against):
                found.setdefault(arm, []).append(_one_case(arm_trials, against))
    rows = []
    for arm, cases in found.items():
        low, high = percentiles(np.mean([samples for _, samples in cases], axis=0))
        probability = float(np.mean([estimate for estimate, _ in cases]))
        rows.append({"arm": arm, "cases": len(cases), "probability": probability, "low": float(low), "high": float(high)})
    return pd.DataFrame(rows, columns=["arm", "cases", "probability", "low", "high"])


def _one_case(arm_trials: pd.DataFrame, against: pd.DataFrame) -> tuple[float, np.ndarray]:
    """The probability in one case, and its bootstrap samples."""
    sign = 1.0 if (arm_trials["metric_goal"] == "max").any() else -1.0
    ours, theirs = (sign * table["score"].to_numpy() for table in (arm_trials, against))
    wins = ((ours[:, None] > theirs) + 0.5 * (ours[:, None] == theirs)).astype(np.float32)
    draws = int(np.clip(MOST_PRODUCTS / wins.size, 200, 1000))
    first = stratified_weights(arm_trials["lr"], draws, seed=1)
    second = stratified_weights(against["lr"], draws, seed=2)
    return float(wins.mean()), np.sum((first @ wins) * second, axis=1) / wins.size
