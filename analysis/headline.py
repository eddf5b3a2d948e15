"""The first screen of the page: one sentence for each case, the alarms, and one forest plot."""

import math
from typing import Any

import numpy as np
import pandas as pd

from analysis.formats import percent, points
from analysis.tables import Table
from trainables.results.outcomes import Outcome
from trainables.results.record import finite

LEVEL = 0.05
MANY_CRASHES = 0.05
MOST_NAMED = 3


def headlines(trials: pd.DataFrame, tables: dict[str, Table]) -> dict[str, str]:
    """One sentence for each case with a control: on failures, then on the arms whose scores differ most.

    At most three arms are named for each of the two; the remaining ones are counted by their result.
    """
    found = {}
    for case in trials["case"].unique():
        goals = trials.loc[trials["case"] == case, "metric_goal"].dropna()
        smaller = not len(goals) or goals.iloc[0] != "max"
        parts = ["every trial failed" if trials.loc[trials["case"] == case, "failed"].all() else ""]
        parts += [_on_failures(_rows(tables, "failure_contrasts", case))]
        parts += [_on_scores(_rows(tables, "best_contrasts", case), smaller)]
        text = "; ".join(part for part in parts if part)
        if text:
            found[case] = f"{text[0].upper()}{text[1:]}."
    return found


def _on_failures(contrasts: pd.DataFrame) -> str:
    if contrasts.empty or contrasts["largest"].isna().all():
        return ""
    shown = (contrasts["p_holm"] <= LEVEL) & (contrasts["low"] * contrasts["high"] > 0)
    if not shown.any():
        largest = math.ceil(100 * contrasts["largest"].max() - 1e-9)
        unpaired = int(contrasts["largest"].isna().sum())
        others = f" ({_other(unpaired)}: no pair)" if unpaired else ""
        return f"no effect on failures larger than {largest} points{others}"
    less, more = shown & (contrasts["difference"] < 0), shown & (contrasts["difference"] > 0)
    words = np.select([less, more], ["less often", "more often"], "no difference shown")
    ranked = contrasts.assign(words=words, gain=-contrasts["difference"])[shown]
    named = _most_telling(ranked)
    parts = [
        f"{row.arm} fails {row.words} than {row.control}, by {points(abs(row.difference)).lstrip('+')} points"
        for row in named.itertuples()
    ]
    return "; ".join(parts + _counted(pd.Series(words, contrasts.index).drop(named.index)))


def _on_scores(contrasts: pd.DataFrame, smaller: bool) -> str:
    if contrasts.empty or contrasts["relative"].isna().all():
        return ""
    contrasts = contrasts.assign(verdict=_verdicts(contrasts, "relative", "relative_low"))
    known = contrasts.dropna(subset="relative")
    known = known.assign(gain=-known["relative"] if smaller else known["relative"])
    decided = known[known["verdict"].isin(["better", "worse"])]
    named = _most_telling(decided) if len(decided) else known.loc[[known["gain"].idxmax()]]
    noun = "error" if smaller else "score"
    parts = [
        f"{row.arm}: {percent(abs(row.relative))} {'lower' if row.relative < 0 else 'higher'} {noun}, {row.verdict}"
        for row in named.itertuples()
    ]
    parts += _counted(contrasts["verdict"].drop(named.index))
    alone = f" (each by its own 95% interval, not corrected for {len(known)} comparisons)"
    return "; ".join(parts) + (alone if len(decided) and len(known) > 1 else "")


def _verdicts(contrasts: pd.DataFrame, difference: str, low: str) -> pd.Series:
    """The verdict on each difference, or why there is none: one pair of scores has no spread, and so no interval."""
    words = contrasts["verdict"].where(contrasts[low].notna(), "no interval")
    return words.where(contrasts[difference].notna(), "no pair")


def _most_telling(decided: pd.DataFrame) -> pd.DataFrame:
    """The arms to name of those that differ: gains before losses, the larger first."""
    order = decided.assign(gains=decided["gain"] > 0, size=decided["gain"].abs())
    return order.sort_values(["gains", "size"], ascending=False, kind="stable").head(MOST_NAMED)


def _counted(others: pd.Series) -> list[str]:
    """The number of arms that are not named, for each result."""
    if others.empty:
        return []
    counts = others.value_counts()
    words = [word if len(counts) == 1 else f"{count} {word}" for word, count in counts.items()]
    return [f"{_other(len(others))}: {', '.join(words)}"]


def _other(count: int) -> str:
    return f"{count} other arm{'s' if count > 1 else ''}"


def forest(trials: pd.DataFrame, tables: dict[str, Table]) -> list[dict[str, Any]]:
    """Differences from the control with 95% intervals, a row for each case and arm.

    Each row has case, arm, control, and for failures and scores the numbers (difference, low, high) with their places
    on a track from 0 to 100, None for missing numbers, and the verdict as text. All rows share the same scales.
    """
    wanted = {"failures": ("failure_contrasts", "difference", "low", "high")}
    wanted["scores"] = ("best_contrasts", "relative", "relative_low", "relative_high")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, (name, *columns) in wanted.items():
        frame = tables[name].frame if name in tables else pd.DataFrame()
        if frame.empty:
            continue
        sizes = frame[columns].abs()
        reach = (
            np.nanmax([1e-9, 1.5 * sizes[columns[0]].max(), sizes[columns[1:]].stack().quantile(0.9)]) * 1.05
        )
        for row in frame.assign(verdict=_verdicts(frame, columns[0], columns[1])).itertuples():
            entry = rows.setdefault((row.case, row.arm), {"case": row.case, "arm": row.arm})
            numbers = [finite(getattr(row, column)) for column in columns]
            places = [
                each if each is None else float(np.clip(50 + 50 * each / reach, 0, 100)) for each in numbers
            ]
            entry[kind] = {"numbers": numbers, "places": places, "verdict": row.verdict}
            entry["control"] = row.control
    order = {pair: at for at, pair in enumerate(trials.groupby(["case", "arm"], sort=False).groups)}
    return [rows[pair] for pair in sorted(rows, key=lambda pair: order.get(pair, 0))]


def alarms(counts: dict[str, int], versions: dict[str, list[str]]) -> list[str]:
    """What a reader must know before believing any number, one line each."""
    lines = []
    ended = counts["planned"] - counts["missing"]
    if ended and counts[Outcome.CRASHED] > MANY_CRASHES * ended:
        lines.append(
            f"{counts['crashed']:,} of {ended:,} trials crashed: the remaining trials may not be representative."
        )
    for name, found in versions.items():
        if len(found) > 1:
            lines.append(f"The trials ran with different versions of {name}: {', '.join(found)}.")
    return lines


def _rows(tables: dict[str, Table], name: str, case: str) -> pd.DataFrame:
    frame = tables[name].frame if name in tables else pd.DataFrame()
    return frame[frame["case"] == case] if len(frame) else frame
