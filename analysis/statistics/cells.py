"""Variance that comes from the seeds alone: within the cells of a fixed grid."""

import numpy as np
import pandas as pd


def cell_variances(
    values: np.ndarray, cells: pd.Series, unseen: list[float], weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean of each cell and its degrees of freedom, (cells,) each, in sorted order of the cells.

    A cell of one trial is assumed to vary as the others do.

    Args:
        values: One number for each trial, (trials,).
        cells: Label of the cell of each trial, (trials,).
        unseen: Values added to each cell, each as `weight` trials, for what few seeds do not show: if all five fail,
            or none does, a cell would otherwise seem certain; NaN is left out.

    Raises:
        ValueError: If no cell has two trials.
    """
    unseen = [value for value in unseen if np.isfinite(value)]
    variances, counts = [], []
    for _, members in pd.Series(np.asarray(values)).groupby(cells.to_numpy(), sort=True):
        found = np.append(members.to_numpy(), unseen)
        weights = np.append(np.ones(len(members)), np.full(len(unseen), weight))
        variances.append(np.average((found - np.average(found, weights=weights)) ** 2, weights=weights))
        counts.append(len(members))
    sizes = np.array(counts)
    if sizes.max() < 2:
        raise ValueError("one trial in each cell: no variance between seeds")
    freedom = np.maximum(sizes - 1, 1)
    of_mean = np.array(variances) / freedom
    return np.where(sizes < 2, of_mean[sizes > 1].mean(), of_mean), freedom


def welch_freedom(parts: np.ndarray, freedom: np.ndarray) -> float:
    """Degrees of freedom of a sum of independent variances (Satterthwaite 1946, Biometrics Bulletin 2:110)."""
    return float(parts.sum() ** 2 / np.sum(parts**2 / freedom)) if parts.sum() > 0 else float(freedom.sum())
