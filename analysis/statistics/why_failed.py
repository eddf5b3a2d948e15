"""Why a trial failed, as far as its history shows."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials
from trainables.results.outcomes import Reason

WINDOW, SPIKE = 5, 3.0
SEEN = ("train_loss", "grad_norm", "val_loss")


def first_non_finite(rows: pd.DataFrame, reason: str) -> tuple[int | None, str]:
    """The first epoch with NaN or infinity in training loss, gradient norm or validation loss, and which of them.

    Args:
        reason: Why the trial failed. A missing validation loss is not a finding, since not every epoch need be
            validated, unless training ended there because of a number that is not finite.
    """
    columns = [column for column in SEEN if column in rows]
    bad = ~np.isfinite(rows[columns].to_numpy(float))
    if "val_loss" in columns:
        ended_there = (np.arange(len(rows)) == len(rows) - 1) & (reason == Reason.NON_FINITE)
        bad[:, columns.index("val_loss")] &= rows["val_loss"].notna().to_numpy() | ended_there
    if not bad.any():
        return None, ""
    place = int(bad.any(axis=1).argmax())
    return int(rows["epoch"].iloc[place]), columns[int(bad[place].argmax())]


def spikes(losses: np.ndarray) -> tuple[int, float]:
    """How often a loss (epochs,) jumps, and the largest jump as a multiple of the median before it.

    A jump is an epoch above three times the median of the five epochs before it that follows one which is not; a jump
    that stays up counts once.
    """
    past = pd.Series(losses).rolling(WINDOW, min_periods=1).median().shift(1).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = losses / past
    high = np.isfinite(factor) & (factor > SPIKE) & (past > 0)
    starts = high & ~np.append(False, high[:-1])
    return int(starts.sum()), float(factor[high].max()) if high.any() else float("nan")


@takes_trials
def why_failed(trials: pd.DataFrame, histories: pd.DataFrame) -> pd.DataFrame:
    """What the history of each failed trial shows.

    Returns:
        Columns case, arm, lr, seed, trial, reason, non_finite_epoch (NaN for none), non_finite_in, spikes,
        largest_spike.
    """
    failed = trials[trials["failed"]]
    groups = histories[histories["trial"].isin(failed["trial"])].groupby("trial", sort=False, observed=True)
    reasons = failed.set_index("trial")["reason"]
    found: dict[str, dict[str, Any]] = {}
    for trial, rows in groups:
        epoch, place = first_non_finite(rows, str(reasons[trial]))
        count, largest = spikes(rows["train_loss"].to_numpy(float)) if "train_loss" in rows else (0, np.nan)
        seen = {"non_finite_epoch": np.nan if epoch is None else epoch, "non_finite_in": place}
        found[str(trial)] = {**seen, "spikes": count, "largest_spike": largest}
    nothing = {"non_finite_epoch": np.nan, "non_finite_in": "", "spikes": 0, "largest_spike": np.nan}
    columns = ["case", "arm", "lr", "seed", "trial", "reason"]
    causes = pd.DataFrame([found.get(trial, nothing) for trial in failed["trial"]], columns=list(nothing))
    return pd.concat([failed[columns].reset_index(drop=True), causes], axis=1)
