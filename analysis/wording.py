"""The finding as plain text that never says more than the intervals allow."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from analysis.formats import interval, mean_and_sd, metric, p_value, points, rate
from analysis.prepare import split_searched
from analysis.tables import Table
from trainables.results.outcomes import Outcome

LEVEL = 0.05

CONSTRAINT_MET = 0.05
"""The largest theta or |gamma| at the projection that still counts as meeting the constraint."""


def finding(counts: dict[str, int], trials: pd.DataFrame, tables: dict[str, Table]) -> list[str]:
    """The finding: a sentence on the trials, then failures and scores of each case."""
    if trials.empty:
        return [_nothing(counts)]
    sentences = [
        f"{_plural(len(trials), 'trial')} with a result: {_plural(trials['arm'].nunique(), 'arm')}, "
        f"{_plural(trials['lr'].nunique(), 'learning rate')} from {rate(trials['lr'].min())} to "
        f"{rate(trials['lr'].max())}, {seeds_at_each(trials)} at each."
    ]
    for case in trials["case"].unique():
        goals = trials.loc[trials["case"] == case, "metric_goal"].dropna()
        parts = [_failures(case, tables), _scores(case, tables, goals.iloc[0] if len(goals) else "min")]
        sentences += [f"{case}: {part}" for part in parts if part]
    return sentences


def warnings(trials: pd.DataFrame) -> list[str]:
    """Arms whose constraint was not met at the projection, one line each: their relaxation was cut off."""
    lines = []
    for (case, arm), group in trials.groupby(["case", "arm"], sort=False):
        sizes = group["constraint_at_projection"].abs().dropna()
        unmet = sizes[sizes > CONSTRAINT_MET]
        if len(unmet):
            lines.append(
                f"{case}: the constraint of {arm} was not met at the projection in {len(unmet)} of "
                f"{_plural(len(sizes), 'trial')} (theta or |gamma| up to {unmet.max():.2g}, at most "
                f"{CONSTRAINT_MET:g} counts as met): its training had not returned to the strict model."
            )
    return lines


def seeds_at_each(trials: pd.DataFrame) -> str:
    """How many seeds each arm has at each learning rate, as text."""
    seeds = trials.groupby(["case", "arm", "lr"])["seed"].nunique()
    low, high = int(seeds.min()), int(seeds.max())
    return _plural(high, "seed") if low == high else f"{low} to {_plural(high, 'seed')}"


def limits(
    counts: dict[str, int],
    crashes: dict[str, int],
    trials: pd.DataFrame,
    tables: dict[str, Table],
    without_control: Sequence[str] = (),
) -> list[str]:
    """What the data cannot say, one line each.

    Args:
        crashes: Reason -> trials.
        without_control: Cases whose strict arm was planned but has no result.
    """
    lines = []
    if counts["missing"]:
        lines.append(
            f"{_plural(counts['missing'], 'planned trial')} of {counts['planned']} had no result when this "
            "was written, and failure rates may be based on different parts of the grid. Differences are of "
            "pairs in which both trials finished."
        )
    if counts[Outcome.CRASHED]:
        reasons = _listed(f"{reason.replace('_', ' ')} {count}" for reason, count in crashes.items())
        lines.append(
            f"{_plural(counts['crashed'], 'trial')} crashed ({reasons}), which says nothing about the method: "
            "counted neither as failed nor as learned."
        )
    if trials.empty:
        return lines
    unmeasured = int((trials["score"].isna() & ~trials["failed"]).sum())
    if unmeasured:
        lines.append(
            f"{_plural(unmeasured, 'learned trial')} without a finite test score: left out of scores, "
            "not of failures."
        )
    unlearned = [
        case for case, failed in trials.groupby("case", sort=False)["failed"].all().items() if failed
    ]
    if unlearned:
        lines.append(
            f"No trial learned in: {'; '.join(unlearned)}. There are no losses, scores or costs to compare there."
        )
    alone = [case for case, arms in trials.groupby("case", sort=False)["arm"].nunique().items() if arms == 1]
    if alone:
        lines.append(f"One arm only in: {'; '.join(alone)}. There is nothing to compare it with.")
    searched = list(split_searched(trials)[1]["case"].unique())
    if searched:
        lines.append(
            f"Learning rates were drawn by a search in: {'; '.join(searched)}. No failure statistics are given for "
            "its trials: each rate was trained once, so its effect cannot be told apart from that of the seed. "
            "Read the expected best of a budget instead."
        )
    compared = _cases(tables, "failure_contrasts")
    explained = {*compared, *alone, *without_control, *searched}
    without = [case for case in trials["case"].unique() if case not in explained]
    if without_control:
        lines.append(
            f"The strict arm has no result in: {'; '.join(without_control)}. No contrasts are given there."
        )
    if without:
        lines.append(f"No control in: {'; '.join(without)}. No contrasts are given there.")
    seeds = int(trials.groupby(["case", "arm", "lr"])["seed"].nunique().max())
    if seeds == 1:
        lines.append(
            "One seed only: nothing can be said about the spread between seeds, and no interval of a mean can be "
            "given."
        )
    elif seeds < 10 and "best_contrasts" in tables:
        smallest = tables["best_contrasts"].frame["smallest_p"].min()
        lines.append(
            f"With {seeds} seeds the permutation test of scores cannot give a p value below "
            f"{p_value(smallest)}, before any correction: read the interval of the difference instead."
        )
    if trials.groupby("case")["lr"].nunique().min() == 1:
        lines.append("One learning rate only: nothing can be said about the sensitivity to it.")
    lines.append(
        "Intervals are over seeds (initialization, order of the data) on this data set and with "
        "these settings; other data, sizes or training lengths are not covered. 'No difference shown' does not "
        "mean that there is none."
    )
    return lines


def _nothing(counts: dict[str, int]) -> str:
    if counts[Outcome.CRASHED]:
        return f"No finding: {_plural(counts['crashed'], 'trial')} crashed and none produced a result."
    if counts["missing"]:
        return f"No finding yet: none of {_plural(counts['planned'], 'planned trial')} has a result."
    return "No finding: the folder contains no trials."


def _failures(case: str, tables: dict[str, Table]) -> str:
    """Which arms failed how often, and what that shows."""
    rates = _rows(tables, "failure_rates", case)
    if rates.empty:  # of a search
        return ""
    listed = _listed(f"{row.arm} {row.failed} of {row.n}" for row in rates.itertuples())
    if not rates["failed"].any():
        return f"no trial failed: {listed}."
    if (rates["failed"] == rates["n"]).all():
        return f"every trial failed: {listed}."
    sentences = [f"failed trials: {listed}."]
    contrasts = _rows(tables, "failure_contrasts", case)
    contrasts = contrasts[contrasts["pairs"] > 0] if len(contrasts) else contrasts
    undecided = []
    for row in contrasts.itertuples():
        if row.p_holm <= LEVEL and row.low * row.high > 0:
            direction = "less" if row.difference < 0 else "more"
            sentences.append(f"{row.arm} failed {direction} often than {row.control}: {_difference(row)}.")
        else:
            undecided.append(f"{row.arm} ({_difference(row)})")
    if undecided:
        control = contrasts["control"].iloc[0]
        sentences.append(f"No difference in failures from {control} is shown for {_listed(undecided)}.")
    return " ".join(sentences)


def _difference(row: Any) -> str:
    return (
        f"{points(row.difference)} percentage points, 95% interval {points(row.low)} to "
        f"{points(row.high)}, p = {p_value(row.p_holm)} after Holm, {_plural(row.pairs, 'pair')}"
    )


def _scores(case: str, tables: dict[str, Table], goal: str) -> str:
    """Test scores at the chosen learning rates, and what they show."""
    scores = _rows(tables, "best_setting", case)
    if scores.empty or scores["mean"].isna().all():
        return ""
    listed = _listed(
        f"{row.arm} {mean_and_sd(row.mean, row.sd)} "
        f"(lr {rate(row.lr)}{f', {row.failed} of {row.n} failed' if row.failed else ''})"
        for row in scores.itertuples()
    )
    name = next((name for name in scores["metric"] if isinstance(name, str)), "metric")
    sentences = [
        f"test {metric(name)} at the learning rate chosen on validation, mean ± sd of the trials that learned: "
        f"{listed}."
    ]
    undecided = []
    for row in _rows(tables, "best_contrasts", case).itertuples():
        if not math.isfinite(row.low):
            continue
        span = f"{interval(row.difference, row.low, row.high)}, {_plural(row.pairs, 'pair')}"
        if row.low * row.high > 0:
            better = (row.difference < 0) == (goal != "max")
            sentences.append(
                f"{row.arm} scored {'better' if better else 'worse'} than {row.control} by this interval alone, "
                f"which is not corrected for the number of arms: {span} (permutation test: p = "
                f"{p_value(row.p_holm)} after Holm)."
            )
        else:
            undecided.append(f"{row.arm} ({span})")
    if undecided:
        sentences.append(f"No difference in scores is shown for {_listed(undecided)}.")
    return " ".join(sentences)


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _rows(tables: dict[str, Table], name: str, case: str) -> pd.DataFrame:
    if name not in tables:
        return pd.DataFrame()
    frame = tables[name].frame
    return frame[frame["case"] == case]


def _cases(tables: dict[str, Table], name: str) -> set[str]:
    return set(tables[name].frame["case"]) if name in tables else set()


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
