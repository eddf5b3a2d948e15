"""Tables on what a study can detect, how fast an arm learns, and what others published."""

import numpy as np
import pandas as pd

from analysis.formats import interval, metric, number, percent
from analysis.prepare import each_case
from analysis.stated import Stated
from analysis.statistics.best_setting import scores_at
from analysis.statistics.seeds_needed import seeds_needed
from analysis.statistics.time_to_target import time_to_target
from analysis.tables.table import ARM, Table

DETECTABLE_FAILURE_RATE, DETECTABLE_SCORE = 0.1, 0.05
"""The differences that the table of seeds assumes if a study states none."""


def seeds(trials: pd.DataFrame, rates: pd.DataFrame, stated: dict[str, Stated]) -> Table:
    """How many seeds would be needed."""

    def needed(mine: pd.DataFrame, control: str) -> pd.DataFrame:
        bounds = stated.get(mine["case"].iloc[0], Stated())
        failure_rate, score = bounds.failure_rate or DETECTABLE_FAILURE_RATE, bounds.score or DETECTABLE_SCORE
        return seeds_needed(mine, failure_rate, score, rates, control)

    return Table(
        "seeds_needed",
        "How many seeds would show a difference",
        "Seeds with which 80% of studies would detect the difference at 5%, given the measured spread. "
        "Scores: paired t test at the chosen learning rates, with the 95% interval due to the uncertain spread; "
        "the difference is a share of the control's mean. Failures: McNemar's test over the grid, given the share of "
        "pairs that differ here.",
        each_case(trials, needed),
        ARM
        | {
            "Score differs by": lambda row: percent(row.score),
            "Seeds [95% interval]": lambda row: interval(
                row.seeds, row.low, row.high, lambda value: f"{value:,.0f}"
            ),
            "Failure rate differs by": lambda row: f"{100 * row.failure_rate:.0f} points",
            "Seeds": lambda row: f"{row.failure_seeds:,.0f}" if row.failure_seeds > 0 else "–",
        },
    )


def speed(trials: pd.DataFrame, rates: pd.DataFrame, histories: pd.DataFrame) -> Table:
    """Steps until the target."""
    return Table(
        "time_to_target",
        "How fast training reaches the target",
        "Steps until the validation metric first reaches the control's level at its chosen learning "
        "rate, less 5% of the way to the trivial predictor. Mean steps within the length of the training (restricted "
        "mean, the area under Kaplan and Meier's curve); trials that failed or never got there count with the full "
        "length. A model in its relaxed phase is judged by its projected version, if that was measured. "
        "Difference from the control, paired by seed, with Student's 95% interval.",
        time_to_target(trials, histories, rates),
        ARM
        | {
            "Target": lambda row: number(row.target),
            "Reached it": lambda row: f"{row.reached} of {row.n}",
            "Mean steps": lambda row: f"{row.mean:,.0f} of {row.horizon:,.0f}",
            "Difference [95% interval]": lambda row: interval(
                row.difference, row.low, row.high, lambda value: f"{value:+,.0f}".replace("-", "−")
            ),
        },
    )


def published(trials: pd.DataFrame, rates: pd.DataFrame, stated: dict[str, Stated]) -> Table:
    """Published values beside ours."""
    ours = scores_at(trials, rates)
    rows = []
    for case, declared in stated.items():
        names = set(trials.loc[trials["case"] == case, "metric"].dropna())
        for entry in declared.published:
            mine = ours[(ours["case"] == case) & (ours["arm"] == entry.arm)]
            known = len(mine) and entry.metric in names
            row = {"case": case, "arm": entry.arm, "metric": entry.metric, "published": entry.value}
            row |= {name: mine[name].iloc[0] if known else np.nan for name in ("mean", "low", "high")}
            rows.append({**row, "source": entry.source})
    columns = ["case", "arm", "metric", "published", "mean", "low", "high", "source"]
    return Table(
        "published",
        "Published values beside ours",
        "As stated in the study, with our mean test score at the chosen learning rate and Student's 95% interval. "
        "They are not used in any statistic. '–' if the study has no such arm or a different metric.",
        pd.DataFrame(rows, columns=columns),
        ARM
        | {
            "Metric": lambda row: metric(row.metric),
            "Published": lambda row: number(row.published),
            "Ours [95% interval]": lambda row: interval(row.mean, row.low, row.high),
            "Source": lambda row: row.source,
        },
    )
