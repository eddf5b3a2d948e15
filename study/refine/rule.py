"""What the next round needs, from the trials so far: how many seeds at which learning rate of which arm.

Looks at the widths of intervals, never at p values or at which arm is ahead.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics.precision import LEAST_PAIRS, edges, precision

LATTICE = 40  # learning rates per decade that a round may choose from
MOST_PLACES = 2  # learning rates within the widest interval that one round may choose
SEEDS_AT_A_PLACE = 2  # seeds added in each round
MOST_GROWTH = 2.0  # of the number of seeds at a chosen rate, in one round


@dataclass(frozen=True)
class Wanted:
    """The number of seeds that an arm is to have at a learning rate, including the existing ones."""

    case: str
    arm: str
    lr: float
    seeds: int


def wanted(trials: pd.DataFrame, planned: pd.Series, edge: float, score: float) -> list[list[Wanted]]:
    """Groups of seeds to run next, the most urgent first; a group is run as a whole, so that pairs stay pairs.

    Edges come first: seeds for the scores of a case follow once its edges are known, so that a budget that is too
    small for both gives one complete answer.

    Args:
        trials: Prepared trials that have a result.
        planned: Number of seeds by case, arm and learning rate, including crashed ones.
        edge: Half-width to reach for log10 LR50, in decades.
        score: Half-width to reach for the paired difference, as a share of the control.
    """
    groups = []
    for case, found in trials.groupby("case", sort=False):
        groups += at_edges(edges(found), planned[case], edge) or at_chosen_rates(
            precision(found), planned[case], score
        )
    return groups


def at_edges(rows: pd.DataFrame, planned: pd.Series, edge: float) -> list[list[Wanted]]:
    """More seeds for all arms at lattice rates within the widest interval of LR50; none if all are narrow enough.

    Chooses as many evenly spaced rates as would cut the interval into narrow enough parts, at most MOST_PLACES.

    Args:
        rows: Result of `edges`, for one case.
        planned: Seeds by arm and learning rate.
    """
    open_rows = rows[rows["edge"] > edge]
    if open_rows.empty:
        return []
    widest = open_rows.loc[open_rows["edge"].idxmax()]
    existing = planned.groupby("lr").max()
    parts = min(max(2, math.ceil(widest["edge"] / edge - 1e-9)), MOST_PLACES + 1)
    steps = np.linspace(widest["low"], widest["high"], parts + 1)[1:-1]
    places = {rate_near(step, existing.index.to_numpy(float)) for step in steps}
    groups = []
    for place in sorted(places):
        seeds = int(existing.get(place, 0)) + SEEDS_AT_A_PLACE
        groups.append([Wanted(widest["case"], arm, place, seeds) for arm in rows["arm"]])
    return groups


def rate_near(place: float, rates: np.ndarray) -> float:
    """The rate of the lattice nearest to `place` (log10), or one of the sorted `rates` less than half a step away."""
    logs = np.log10(rates)
    found = lattice_rate(place, logs[0], logs[-1])
    nearest = int(np.argmin(np.abs(logs - np.log10(found))))
    return float(rates[nearest]) if abs(logs[nearest] - np.log10(found)) < 0.5 / LATTICE else found


def lattice_rate(place: float, lowest: float, highest: float) -> float:
    """The rate of the lattice nearest to `place` (log10) between `lowest` and `highest`."""
    steps = min(
        max(round(place * LATTICE), math.ceil(lowest * LATTICE - 1e-6)), math.floor(highest * LATTICE + 1e-6)
    )
    return float(f"{10 ** (steps / LATTICE):.4g}")


def at_chosen_rates(rows: pd.DataFrame, planned: pd.Series, score: float) -> list[list[Wanted]]:
    """For each arm whose difference from the control is not known well enough, more seeds of both at their rates.

    Args:
        rows: Result of `precision`, for one case.
        planned: Seeds by arm and learning rate.
    """
    control = rows[rows["score"].isna() & rows["pairs"].isna()]
    groups = []
    for row in rows[rows["score"] > score].itertuples():
        pairs = int(row.pairs)
        more = LEAST_PAIRS - pairs if pairs < LEAST_PAIRS else _more_pairs(pairs, row.score / score)
        both = [(row.arm, row.lr), *zip(control["arm"], control["lr"], strict=True)]
        seeds = min(planned.get(place, 0) for place in both) + more
        groups.append(
            [Wanted(row.case, arm, lr, seeds) for arm, lr in both if planned.get((arm, lr), 0) < seeds]
        )
    return [group for group in groups if group]


def _more_pairs(pairs: int, excess: float) -> int:
    return min(pairs_needed(pairs, excess), math.ceil(MOST_GROWTH * pairs)) - pairs


def pairs_needed(pairs: int, excess: float) -> int:
    """The least number of pairs, above `pairs`, at which an interval `excess` times too wide is expected to fit."""
    wanted_reach = _reach(pairs) / excess
    few, enough = pairs, pairs + 1
    while _reach(enough) > wanted_reach:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (middle, enough) if _reach(middle) > wanted_reach else (few, middle)
    return enough


def _reach(pairs: int) -> float:
    """Half the width of Student's interval of a mean of `pairs` values whose sd is 1."""
    return float(stats.t.ppf(0.975, pairs - 1) / np.sqrt(pairs))
