"""A prepared table of a few trials, written as losses by learning rate and seed."""

import numpy as np
import pandas as pd

RATES = np.array([1e-4, 1e-3, 1e-2, 1e-1])


def grid(losses, arm="strict", case="one", failed=None, goal="min"):
    """A prepared table from losses (rates, seeds)."""
    losses = np.asarray(losses, float)
    rate, seed = (index.ravel() for index in np.indices(losses.shape))
    failed = np.zeros(losses.size, bool) if failed is None else np.asarray(failed).ravel()
    values = {name: losses.ravel() for name in ("loss", "val_score", "score")}
    labels = {"case": case, "arm": arm, "method": arm, "lr": RATES[rate], "seed": seed}
    extra = {
        "pair": [f"{r}-{s}" for r, s in zip(rate, seed, strict=True)],
        "metric": "mse",
        "metric_goal": goal,
    }
    return pd.DataFrame(
        {**labels, **extra, **values, "failed": failed, "failed_loss": 1.0, "failed_score": 1.0}
    )
