"""Stratified bootstrap by weights: seeds are resampled within each stratum, strata are kept."""

import numpy as np
import pandas as pd

DRAWS = 1000


def stratified_weights(strata: pd.Series | np.ndarray, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each trial is drawn, (draws, trials) of small integers; each row keeps the size of each stratum.

    strata: (trials,) labels, such as the learning rate; resampling within them is what Agarwal et al. 2021
    (arXiv 2108.13264) do within tasks, so that the fixed grid adds no variance of its own.
    """
    random = np.random.default_rng(seed)
    codes, uniques = pd.factorize(pd.Series(strata).reset_index(drop=True))
    weights = np.empty((draws, len(codes)), np.float32)
    for code in range(len(uniques)):
        members = np.flatnonzero(codes == code)
        weights[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), draws)
    return weights


def percentiles(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5% and 97.5% quantiles over the first axis, (draws, ...)."""
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    return low, high
