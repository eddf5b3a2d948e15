"""Does the arm change how often training fails? Pairs are trials that differ only in the method."""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import each_case, takes_trials
from analysis.statistics.holm import holm
from analysis.statistics.intervals import LEVEL, wilson


@takes_trials
def paired_failures(trials: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """Difference of failure rates, each other arm of a case minus its control, over the pairs in which both finished.

    Args:
        control: An arm; each study's own if None.

    Returns:
        One row per case and arm: case, arm, control, pairs, both, only_arm, only_control, neither, difference, low,
        high (Newcombe's paired interval), p (exact McNemar), p_holm. Arms without a pair have NaN.
    """
    return each_case(trials, _one_case, control)


def _one_case(trials: pd.DataFrame, control: str) -> pd.DataFrame:
    """The rows of `paired_failures` of one case."""
    outcomes = trials.drop_duplicates(["arm", "pair"]).pivot(index="pair", columns="arm", values="failed")
    rows = []
    for arm in [arm for arm in trials["arm"].unique() if arm != control]:
        pair = outcomes[[arm, control]].dropna().astype(bool)
        counts = [int((pair[arm] & pair[control]).sum()), int((pair[arm] & ~pair[control]).sum())]
        counts += [int((~pair[arm] & pair[control]).sum()), int((~pair[arm] & ~pair[control]).sum())]
        difference, low, high = newcombe_paired(*counts)
        row = dict(zip(("both", "only_arm", "only_control", "neither"), counts, strict=True))
        p = mcnemar_exact(row["only_arm"], row["only_control"]) if len(pair) else float("nan")
        estimate = {"difference": difference, "low": low, "high": high, "p": p}
        rows.append({"arm": arm, "control": control, "pairs": len(pair), **row, **estimate})
    columns = ["arm", "control", "pairs", "both", "only_arm", "only_control", "neither"]
    table = pd.DataFrame(rows, columns=[*columns, "difference", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def newcombe_paired(
    both: int, only_first: int, only_second: int, neither: int, level: float = LEVEL
) -> tuple[float, float, float]:
    """Difference of two paired proportions, first minus second, and its interval at level `level`.

    Method 10 of Newcombe 1998 (Statistics in Medicine 17:2635): Wilson intervals of the two margins, joined by their
    correlation with a continuity correction. NaN without pairs.
    """
    n = both + only_first + only_second + neither
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    first, second = (both + only_first) / n, (both + only_second) / n
    (low1, low2), (high1, high2) = wilson([both + only_first, both + only_second], [n, n], level)
    margins = (
        float(both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    )
    excess = float(both * neither - only_first * only_second)
    excess = max(excess - n / 2, 0.0) if excess > 0 else excess
    phi = excess / np.sqrt(margins) if margins > 0 else 0.0
    difference = first - second
    below = (first - low1) ** 2 - 2 * phi * (first - low1) * (high2 - second) + (high2 - second) ** 2
    above = (high1 - first) ** 2 - 2 * phi * (high1 - first) * (second - low2) + (second - low2) ** 2
    return difference, difference - float(np.sqrt(below)), difference + float(np.sqrt(above))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p value for both kinds of discordant pairs being equally likely; 1 if none (McNemar 1947)."""
    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
