"""Every statistic of the report as a table: raw numbers for machines, few digits for people."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.formats import interval, number, p_value, percent, points, rate
from analysis.prepare import controls
from analysis.statistics.best_setting import choose_rates, paired_scores, scores_at
from analysis.statistics.cost import cost
from analysis.statistics.curves import loss_curve
from analysis.statistics.equivariance import equivariance
from analysis.statistics.failure import failure_rates
from analysis.statistics.paired import paired_failures

Show = dict[str, Callable[[Any], str]]
"""Headings of the shown columns, and how a row (a named tuple) becomes the text under each."""


@dataclass(frozen=True)
class Table:
    """A statistic with its title and a caption that says how it was got.

    frame: raw numbers, one row per case, arm, ...; show: what people see of it
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    show: Show

    def texts(self, case: str | None = None) -> list[list[str]]:
        """The shown rows, all or of one case."""
        frame = self.frame if case is None else self.frame[self.frame["case"] == case]
        return [[form(row) for form in self.show.values()] for row in frame.itertuples()]


ARM: Show = {"Arm": lambda row: row.arm}


def make_tables(trials: pd.DataFrame) -> dict[str, Table]:
    """All statistics of prepared trials, by name; tables without rows are left out."""
    if trials.empty:
        return {}
    rates = choose_rates(trials)
    tables = [
        _failure_rates(trials),
        _failure_contrasts(trials),
        _best_setting(trials, rates),
        _best_contrasts(trials, rates),
        _equivariance(trials),
        _cost(trials),
        _curves(trials),
    ]
    return {table.name: table for table in tables if not table.frame.empty}


def against_controls(
    trials: pd.DataFrame, compare: Callable[[pd.DataFrame, str], pd.DataFrame]
) -> pd.DataFrame:
    """`compare(trials of a case, its control)` for each case with a control, joined, with the column `case` first."""
    parts = []
    for case, control in controls(trials).items():
        part = compare(trials[trials["case"] == case], control)
        part.insert(0, "case", case)
        parts.append(part)
    parts = [part for part in parts if not part.empty]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _failure_rates(trials: pd.DataFrame) -> Table:
    return Table(
        "failure_rates",
        "How often training failed",
        "Failed trials over the whole grid with Wilson's 95% interval.",
        failure_rates(trials, ["case", "arm"]),
        ARM
        | {
            "Failed": lambda row: f"{row.failed} of {row.n}",
            "Rate [95% interval]": lambda row: interval(row.rate, row.low, row.high, percent),
        },
    )


def _failure_contrasts(trials: pd.DataFrame) -> Table:
    return Table(
        "failure_contrasts",
        "Failures against the control",
        "Pairs have all in common but the method. Difference of failure rates, arm minus control, in percentage points, "
        "with Newcombe's paired 95% interval; p by McNemar's exact test, and corrected for the number of arms (Holm).",
        against_controls(trials, paired_failures),
        ARM
        | {
            "Control": lambda row: row.control,
            "Pairs": lambda row: str(row.pairs),
            "Only arm failed": lambda row: str(row.only_arm),
            "Only control failed": lambda row: str(row.only_control),
            "Difference [95% interval]": lambda row: interval(row.difference, row.low, row.high, points),
            "p": lambda row: p_value(row.p),
            "p (Holm)": lambda row: p_value(row.p_holm),
        },
    )


def _best_setting(trials: pd.DataFrame, rates: pd.DataFrame) -> Table:
    return Table(
        "best_setting",
        "Test score at the learning rate chosen on validation",
        "Mean and sd over seeds; Student's 95% interval. A failed trial counts with its value at initialisation, or the "
        "trivial predictor's where the metric is not the loss.",
        scores_at(trials, rates),
        ARM
        | {
            "Learning rate": lambda row: rate(row.lr),
            "Seeds": lambda row: str(row.n),
            "Failed": lambda row: str(row.failed),
            "Metric": lambda row: str(row.metric or "–"),
            "Mean ± sd": lambda row: f"{number(row.mean)} ± {number(row.sd)}",
            "95% interval": lambda row: f"[{number(row.low)}, {number(row.high)}]",
        },
    )


def _best_contrasts(trials: pd.DataFrame, rates: pd.DataFrame) -> Table:
    return Table(
        "best_contrasts",
        "Test score against the control",
        "Each arm at its own chosen learning rate, paired by seed: mean difference, arm minus control, with Student's 95% "
        "interval; p by flipping the signs of the differences, which cannot go below the number beside it.",
        against_controls(trials, lambda case, control: paired_scores(case, rates, control)),
        ARM
        | {
            "Control": lambda row: row.control,
            "Pairs": lambda row: str(row.pairs),
            "Difference [95% interval]": lambda row: interval(row.difference, row.low, row.high),
            "p": lambda row: p_value(row.p),
            "smallest p": lambda row: p_value(row.smallest_p),
            "p (Holm)": lambda row: p_value(row.p_holm),
        },
    )


def _equivariance(trials: pd.DataFrame) -> Table:
    return Table(
        "equivariance",
        "Equivariance error of the delivered model",
        "Largest |f(gx) − g f(x)| / |f(x)| over the trials, in float64.",
        equivariance(trials),
        ARM
        | {
            "Trials measured": lambda row: f"{row.measured} of {row.n}",
            "Largest error": lambda row: number(row.largest),
        },
    )


def _cost(trials: pd.DataFrame) -> Table:
    return Table(
        "cost",
        "What it cost",
        "Medians over the learned trials. Parameters while training and as delivered.",
        cost(trials),
        ARM
        | {
            "Learned": lambda row: str(row.n),
            "Seconds per epoch": lambda row: number(row.seconds_per_epoch),
            "Seconds per trial": lambda row: number(row.seconds),
            "Parameters trained": lambda row: number(row.params_train),
            "Parameters delivered": lambda row: number(row.params_final),
        },
    )


def _curves(trials: pd.DataFrame) -> Table:
    return Table(
        "learning_rates",
        "Learning rate by learning rate",
        "Failed trials, and median and quartiles over seeds of min(validation loss, loss at initialisation); a failed "
        "trial counts with the loss at initialisation.",
        loss_curve(trials),
        ARM
        | {
            "Learning rate": lambda row: rate(row.lr),
            "Failed": lambda row: f"{row.failed} of {row.n}",
            "Median loss": lambda row: number(row.median),
            "Quartiles": lambda row: f"[{number(row.q1)}, {number(row.q3)}]",
        },
    )


def as_csv(table: Table) -> str:
    """The raw numbers."""
    return table.frame.to_csv(index=False)


def as_markdown(table: Table) -> str:
    """The shown columns as a Markdown table, with the case in front."""
    rows = [[case, *texts] for case, texts in _with_cases(table)]
    lines = [["Case", *table.show], ["---"] * (len(table.show) + 1), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return f"**{table.title}.** {table.caption}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in cells)


def as_latex(table: Table) -> str:
    """The shown columns as a LaTeX table with booktabs rules."""
    rows = [["Case", *table.show], *([case, *texts] for case, texts in _with_cases(table))]
    head, *body = [" & ".join(latex(cell) for cell in row) + " \\\\" for row in rows]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}\n\\centering\n\\small",
        f"\\caption{{{latex(table.title)}. {latex(table.caption)}}}",
        f"\\begin{{tabular}}{{{'l' * (len(table.show) + 1)}}}",
        *("\\toprule", head, "\\midrule", *body, "\\bottomrule"),
        "\\end{tabular}\n\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _with_cases(table: Table) -> list[tuple[str, list[str]]]:
    cases = table.frame["case"] if "case" in table.frame else ["all"] * len(table.frame)
    return list(zip(map(str, cases), table.texts(), strict=True))


SPECIAL = {
    "\\": "\\textbackslash{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "±": "$\\pm$",
    "−": "$-$",
    "·": "$\\cdot$",
    "–": "--",
    "≥": "$\\geq$",
    "≤": "$\\leq$",
    "×": "$\\times$",
}


def latex(text: str) -> str:
    """The text with LaTeX's special characters made harmless."""
    return "".join(SPECIAL.get(mark, mark) for mark in text)
