"""Correction for looking at several arms."""

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """p values (tests,) adjusted by Holm's step-down method (Holm 1979, Scand. J. Statist. 6:65); NaN stays NaN."""
    # Not by statsmodels: it collects garbage at each call, which takes a third of a second if much is loaded.
    order = np.argsort(p)  # NaN last
    order = order[: np.isfinite(p).sum()]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)).clip(max=1.0)
    return adjusted
