"""How precisely is the answer known? Half-widths of the intervals that a refined study narrows."""

import numpy as np
import pandas as pd

from analysis.prepare import controls, takes_trials
from analysis.statistics.best_setting import choose_rates, paired_differences, scores_at
from analysis.statistics.onset import half_failure_rates

# A study that stops once an interval is narrow stops early if few pairs happen to agree. In simulation, intervals of
# studies that may stop at 2 pairs cover 88% at worst, at 5 pairs 92%, at 8 pairs 93%.
LEAST_PAIRS = 8


@takes_trials
def precision(trials: pd.DataFrame) -> pd.DataFrame:
    """The intervals of LR50 and of the score against the control, for each case and arm of prepared trials.

    Returns:
        Columns case, arm, low, high (the part of the interval of log10 LR50 within the range of learning rates), edge
        (half of its width in decades, 0 if LR50 is known to lie outside), lr (the chosen one), pairs, score (half
        the width of the interval of the paired difference from the control, as a share of the control's mean;
        infinite with fewer than LEAST_PAIRS). NaN if an arm or the control never learned, and for the
        control's own score.
    """
    rates = choose_rates(trials)
    table = edges(trials).merge(rates, on=["case", "arm"], how="left")
    return table.merge(score_widths(trials, rates), on=["case", "arm"], how="left")


def edges(trials: pd.DataFrame) -> pd.DataFrame:
    """The columns case, arm, low, high and edge of `precision`."""
    table = half_failure_rates(trials)
    ends = trials.groupby(["case", "arm"], sort=False)["lr"].agg(["min", "max"]).reset_index()
    ends = np.log10(table[["case", "arm"]].merge(ends, on=["case", "arm"])[["min", "max"]].to_numpy(float))
    low, high = within(table, ends)
    return table[["case", "arm"]].assign(low=low, high=high, edge=(high - low) / 2)


def within(found: pd.DataFrame, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of log10 intervals, clipped to the range of learning rates.

    Args:
        found: Low, high and censored of `half_failure_rate`, a row for each arm.
        ends: (arms, 2), the lowest and the highest log10 learning rate.
    """
    low, high = (np.log10(found[name].to_numpy(float)) for name in ("low", "high"))
    # An interval that lies outside entirely has neither end within: the estimate says on which side it lies.
    outside = np.isnan(low) & np.isnan(high) & found["censored"].isin(["above", "below"]).to_numpy()
    above = (found["censored"] == "above").to_numpy()
    low = np.where(np.isnan(low), np.where(outside & above, ends[:, 1], ends[:, 0]), low)
    high = np.where(np.isnan(high), np.where(outside & ~above, ends[:, 0], ends[:, 1]), high)
    return low, high


def score_widths(trials: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """The columns case, arm, pairs and score of `precision`, at the given rates."""
    means = scores_at(trials, rates).set_index(["case", "arm"])["mean"]
    tables = []
    for case, control in controls(trials).items():
        found = paired_differences(trials[trials["case"] == case], rates, control)
        share = (found["high"] - found["low"]) / 2 / abs(means.get((case, control), np.nan))
        both_learned = [
            np.isfinite(means.get((case, arm), np.nan) + means.get((case, control), np.nan))
            for arm in found["arm"]
        ]
        share = share.where((found["pairs"] >= LEAST_PAIRS) | ~np.array(both_learned, bool), np.inf)
        tables.append(found[["arm", "pairs"]].assign(case=case, score=share))
    columns = ["case", "arm", "pairs", "score"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
