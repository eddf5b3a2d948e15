"""How good is the best of a budget of n trials?"""

import numpy as np
import pandas as pd

MOST_POINTS = 60


def expected_best(trials: pd.DataFrame) -> pd.DataFrame:
    """Expected best validation score of n trials drawn at random from those run, for each case and arm.

    Dodge et al. 2019 (arXiv 1909.03004): for scores to be made large, the sum over v of
    v (P(V <= v)^n - P(V < v)^n) with the observed shares; mirrored for scores to be made small. n goes up to the
    number of trials run and no further. Returns case, arm, n, best.
    """
    rows = []
    for (case, arm), arm_trials in trials.dropna(subset="val_score").groupby(["case", "arm"], sort=False):
        sign = 1.0 if (arm_trials["metric_goal"] == "max").any() else -1.0
        scores, counts = np.unique(sign * arm_trials["val_score"].to_numpy(), return_counts=True)
        below = np.cumsum(counts) / counts.sum()
        sizes = np.unique(np.geomspace(1, counts.sum(), min(MOST_POINTS, counts.sum())).round().astype(int))
        chances = below ** sizes[:, None] - np.append(0, below[:-1]) ** sizes[:, None]
        rows.append(pd.DataFrame({"case": case, "arm": arm, "n": sizes, "best": sign * chances @ scores}))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["case", "arm", "n", "best"])
