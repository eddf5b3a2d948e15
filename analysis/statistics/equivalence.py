"""Is a difference too small to matter? Two one-sided tests against an effect stated before the study.

Schuirmann 1987 (J. Pharmacokinet. Biopharm. 15:657): arms are equivalent if both the hypothesis of an effect of
`smallest` or more and that of one of -`smallest` or less are rejected, each at 5%.
"""

from typing import Literal

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials
from analysis.statistics.best_setting import choose_rates, paired_scores, score_pairs
from analysis.statistics.intervals import t_interval
from analysis.statistics.paired import newcombe_paired, paired_failures

Verdict = Literal["better", "worse", "equivalent", "undecided"]
BOTH_TESTS = 0.90
"""Two one-sided tests at 5% both reject if and only if the 90% interval lies within the bounds."""
FEW_DISCORDANT = 0.95
"""With a real difference as large as the bounds, Newcombe's 90% interval lies within them in up to 8% of simulated
studies, if few pairs differ; the 95% interval in fewer than 5%."""


def verdict(low: float, high: float, equivalent: bool, smaller_is_better: bool = True) -> Verdict:
    """The verdict on a difference, arm minus control.

    Args:
        low, high: Its 95% interval.
        equivalent: Whether both one-sided tests reject; this takes precedence, since a real difference that was
            declared too small to matter beforehand does not matter.
    """
    if equivalent:
        return "equivalent"
    if not low * high > 0:
        return "undecided"
    return "better" if (high < 0) == smaller_is_better else "worse"


def not_excluded(low: float, high: float) -> float:
    """The largest size of an effect that a 95% interval does not exclude; NaN without an interval."""
    return float(max(abs(low), abs(high)))


def equivalent_failures(counts: tuple[int, int, int, int], smallest: float) -> bool:
    """Whether two failure rates differ by less than `smallest`, a share, by both one-sided tests at 5%.

    Args:
        counts: Pairs of trials of which both, only the first, only the second, or neither failed.
    """
    _, low, high = newcombe_paired(*counts, level=FEW_DISCORDANT)
    return bool(-smallest < low and high < smallest)


def equivalent_scores(ours: np.ndarray, theirs: np.ndarray, smallest: float) -> bool:
    """Whether paired mean scores differ by less than the share `smallest` of the control's mean, at 5% on each side.

    Args:
        ours, theirs: Scores of arm and control, (pairs,), paired by seed. The bound is a multiple of a mean that is
            itself measured, so each test is Student's of one contrast of the pairs, ours - (1 +- smallest) theirs,
            and holds its level whatever the control's spread.
    """
    if len(ours) < 2:
        return False
    bound = smallest * np.sign(theirs.mean()) * theirs
    above, _ = _interval(ours - theirs + bound)
    _, below = _interval(ours - theirs - bound)
    return bool(above > 0 > below)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Student's 90% interval of a mean."""
    low, high = t_interval(values.mean(), values.std(ddof=1), len(values), BOTH_TESTS)
    return float(low), float(high)


@takes_trials
def failure_verdicts(
    trials: pd.DataFrame, smallest: float | None = None, control: str | None = None
) -> pd.DataFrame:
    """The rows of `paired_failures` with largest (effect not excluded) and verdict.

    Args:
        smallest: The smallest difference that matters, a share of trials; None if none was stated.
        control: An arm, each study's own if None.
    """
    contrasts = paired_failures(trials, control)
    verdicts = [
        verdict(
            row.low,
            row.high,
            smallest is not None
            and row.pairs > 0
            and equivalent_failures((row.both, row.only_arm, row.only_control, row.neither), smallest),
        )
        for row in contrasts.itertuples()
    ]
    largest = [not_excluded(row.low, row.high) for row in contrasts.itertuples()]
    return contrasts.assign(largest=largest, verdict=verdicts)


@takes_trials
def score_verdicts(
    trials: pd.DataFrame,
    smallest: float | None = None,
    rates: pd.DataFrame | None = None,
    control: str | None = None,
) -> pd.DataFrame:
    """The rows of `paired_scores` with relative difference, low, high and largest effect, and verdict.

    Adds control_mean, relative, relative_low, relative_high (shares of the control's mean, which is taken as known),
    largest and verdict.

    Args:
        smallest: Share of the control's mean, None if none was stated.
        rates, control: As in `paired_scores`.
    """
    rates = choose_rates(trials) if rates is None else rates
    contrasts = paired_scores(trials, rates, control)
    rows = []
    for row in contrasts.itertuples():
        mine = trials[trials["case"] == row.case]
        smaller = not (mine["metric_goal"] == "max").any()
        pairs = score_pairs(mine, rates, row.arm, row.control)
        mean = float(pairs[:, 1].mean()) if len(pairs) else float("nan")
        scale = abs(mean) if mean else float("nan")
        same = smallest is not None and equivalent_scores(pairs[:, 0], pairs[:, 1], smallest)
        shares = {
            "relative": row.difference / scale,
            "relative_low": row.low / scale,
            "relative_high": row.high / scale,
        }
        largest = not_excluded(row.low, row.high) / scale
        rows.append(
            {
                "control_mean": mean,
                **shares,
                "largest": largest,
                "verdict": verdict(row.low, row.high, same, smaller),
            }
        )
    columns = ["control_mean", "relative", "relative_low", "relative_high", "largest", "verdict"]
    added = pd.DataFrame(rows, columns=columns, index=contrasts.index)
    return pd.concat([contrasts, added], axis=1)
