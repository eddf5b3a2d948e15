"""Who wins over all cases? The whole distribution of scores of each arm."""

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials
from analysis.statistics.grid_failure import grid_share

LEVELS = np.linspace(0, 1, 51)


@takes_trials
def performance_profiles(trials: pd.DataFrame) -> pd.DataFrame:
    """Share of an arm's trials whose skill exceeds each level, with a pointwise 95% band.

    The profile of Agarwal et al. 2021 (arXiv 2108.13264). Skill is 0 for the trivial predictor (or worse) and 1 for
    the best trial of the case. Cases and learning rates count the same, however many seeds they have; cases that some
    arm lacks are left out. The band is `grid_share`'s, with each case and learning rate as a cell, in place of
    the stratified percentile bootstrap, which is too narrow with five seeds.

    Returns:
        Columns arm, level, share, low, high, cases.
    """
    trials = in_every_arm(trials.dropna(subset="skill"))
    tables = []
    for arm, mine in trials.groupby("arm", sort=False):
        exceeds = pd.DataFrame(mine["skill"].to_numpy()[:, None] > LEVELS)
        cells = exceeds.groupby([mine["case"].to_numpy(), mine["lr"].to_numpy()])
        share, low, high = grid_share(cells.sum().to_numpy(float), cells.size().to_numpy(float))
        row = {"arm": arm, "level": LEVELS, "share": share, "low": low, "high": high}
        tables.append(pd.DataFrame({**row, "cases": mine["case"].nunique()}))
    columns = ["arm", "level", "share", "low", "high", "cases"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def in_every_arm(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of those cases that every arm has."""
    arms = trials.groupby("case")["arm"].transform("nunique")
    return trials[arms == trials["arm"].nunique()]
