"""How good is an arm without tuning: at a rate fixed beforehand, and over the whole grid?"""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import takes_trials
from analysis.statistics import unseen

DRAWS = 1000


@takes_trials
def middle_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """The middle of each case's learning rates, for every arm, fixed before any trial: case, arm, lr."""
    middles = trials.groupby("case")["lr"].agg(
        lambda rates: np.sort(rates.unique())[(rates.nunique() - 1) // 2]
    )
    arms = trials[["case", "arm"]].drop_duplicates()
    return arms.assign(lr=arms["case"].map(middles)).reset_index(drop=True)


@takes_trials
def interquartile_means(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean of the middle half of the test scores over the whole grid (25% trimmed mean), for each case and arm.

    Returns:
        Columns case, arm, n, iqm, low, high. Agarwal et al. 2021 (arXiv 2108.13264) with a stratified bootstrap,
        trials drawn within each learning rate. Their percentile interval covers 75% with five seeds per rate; here
        the bootstrap gives only the standard error, for Student's interval, and each rate has 0.05 failed and 0.05
        median learned trials more to draw from, which gives 96%.
    """
    rows = []
    for (case, arm), arm_trials in trials.dropna(subset="score").groupby(["case", "arm"], sort=False):
        scores = arm_trials["score"].to_numpy()
        iqm = float(stats.trim_mean(scores, 0.25))
        reach = _reach(arm_trials)
        rows.append(
            {"case": case, "arm": arm, "n": len(scores), "iqm": iqm, "low": iqm - reach, "high": iqm + reach}
        )
    return pd.DataFrame(rows, columns=["case", "arm", "n", "iqm", "low", "high"])


def _reach(arm_trials: pd.DataFrame) -> float:
    """Half the width of the interval of the interquartile mean; NaN with one seed per rate."""
    learned = arm_trials.loc[~arm_trials["failed"], "score"].median()
    rare = [
        arm_trials["failed_score"].median(),
        learned if np.isfinite(learned) else arm_trials["score"].median(),
    ]
    weight, random = unseen.INTERQUARTILE_MEAN, np.random.default_rng(0)
    samples, freedom, correction = [], 0, 1.0
    for _, scores in arm_trials.groupby("lr", sort=True)["score"]:
        n = len(scores)
        chances = np.append(np.ones(n), [weight, weight]) / (n + 2 * weight)
        samples.append(random.choice(np.append(scores.to_numpy(), rare), (DRAWS, n), p=chances))
        freedom += n - 1
        correction = max(correction, n / (n - 1)) if n > 1 else correction
    if freedom == 0:
        return float("nan")
    spread = stats.trim_mean(np.concatenate(samples, axis=1), 0.25, axis=1).std()
    return float(stats.t.ppf(0.975, freedom) * np.sqrt(correction) * spread)
