"""Who wins over all cases? The whole distribution of scores of each arm."""

import numpy as np
import pandas as pd

from analysis.statistics.bootstrap import percentiles, stratified_weights

LEVELS = np.linspace(0, 1, 51)


def performance_profiles(trials: pd.DataFrame) -> pd.DataFrame:
    """Share of an arm's trials whose skill exceeds each level, the mean over the cases, with a pointwise 95% band.

    Skill is 0 for the trivial predictor (or worse) and 1 for the best trial of the case. Only cases that every arm has
    are counted. Returns arm, level, share, low, high, cases. Agarwal et al. 2021 (arXiv 2108.13264), stratified
    bootstrap: trials drawn within each case and learning rate.
    """
    trials = in_every_arm(trials.dropna(subset="skill"))
    tables = []
    for arm, arm_trials in trials.groupby("arm", sort=False):
        weights = stratified_weights(arm_trials["case"] + arm_trials["lr"].astype(str))
        exceeds = arm_trials["skill"].to_numpy(np.float32)[:, None] > LEVELS
        # Each case has the same say, however many trials it has.
        shares = 1 / arm_trials.groupby("case")["skill"].transform("size").to_numpy() / arm_trials["case"].nunique()
        low, high = percentiles(weights @ (exceeds * shares[:, None]).astype(np.float32))
        share = shares @ exceeds
        row = {"arm": arm, "level": LEVELS, "share": share, "low": low, "high": high}
        tables.append(pd.DataFrame({**row, "cases": arm_trials["case"].nunique()}))
    columns = ["arm", "level", "share", "low", "high", "cases"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def in_every_arm(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of those cases that every arm has."""
    arms = trials.groupby("case")["arm"].transform("nunique")
    return trials[arms == trials["arm"].nunique()]
