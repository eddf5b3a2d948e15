"""Correction for looking at several arms."""

import numpy as np
from statsmodels.stats.multitest import multipletests


def holm(p: np.ndarray) -> np.ndarray:
    """p values (tests,) adjusted by Holm's step-down method (Holm 1979, Scand. J. Statist. 6:65); NaN stays NaN."""
    adjusted = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted
