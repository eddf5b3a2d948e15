"""A statistic as a table, and the files made from it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.formats import plain

Show = dict[str, Callable[[Any], str]]
"""Headings of the shown columns, and how a row (a named tuple) becomes the text under each."""


@dataclass(frozen=True)
class Table:
    """A statistic with its title and a caption that says how it was computed.

    Attributes:
        frame: Raw numbers, one row per case, arm, ...
        show: The columns for human readers.
        on_page: Whether the page shows it, or has a figure in its place.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    show: Show
    on_page: bool = True

    @property
    def heading(self) -> str:
        """The title as a sentence that the caption follows."""
        return self.title if self.title.endswith("?") else f"{self.title}."

    def texts(self, case: str | None = None) -> list[list[str]]:
        """The shown rows, all or of one case."""
        frame = self.frame if case is None else self.frame[self.frame["case"] == case]
        return [[form(row) for form in self.show.values()] for row in frame.itertuples()]


VERDICT = (
    "The verdict is equivalent if both one-sided tests at 5% exclude the smallest effect that the study stated "
    "beforehand, else better or worse if the interval excludes 0, else undecided."
)
ARM: Show = {"Arm": lambda row: row.arm}


def in_order(table: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The rows with cases and arms in the order of the study, otherwise in their present order."""
    places = {name: {value: at for at, value in enumerate(trials[name].unique())} for name in ("case", "arm")}
    return table.sort_values(
        ["case", "arm"], key=lambda column: column.map(places[column.name]), ignore_index=True
    )


def as_csv(table: Table) -> str:
    """The raw numbers."""
    return table.frame.to_csv(index=False)


def as_markdown(table: Table) -> str:
    """The shown columns as a Markdown table, with the case in front."""
    rows = [[case, *texts] for case, texts in _with_cases(table)]
    lines = [["Case", *table.show], [":---"] * (len(table.show) + 1), *rows]
    cells = [[markdown(cell) for cell in line] for line in lines]
    return f"**{table.heading}** {table.caption}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in cells)


def markdown(text: str) -> str:
    """The text with characters that Markdown or HTML would interpret escaped."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"(?<!\w)[_~#]|[_~](?!\w)|\](?=\()|[\\`*|$]", lambda mark: f"\\{mark[0]}", text)


def as_latex(table: Table) -> str:
    """The shown columns as a LaTeX table with booktabs rules."""
    rows = [["Case", *table.show], *([case, *texts] for case, texts in _with_cases(table))]
    head, *body = [" & ".join(latex(cell) for cell in row) + " \\\\" for row in rows]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}\n\\centering\n\\small",
        f"\\caption{{{latex(table.heading)} {latex(table.caption)}}}",
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
    "|": "\\textbar{}",
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
    """The text with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(mark, mark) for mark in plain(text))
