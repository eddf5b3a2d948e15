"""The finding for a terminal: a sentence for each case, and a table of learning rates and arms."""

import textwrap
from typing import Any

from analysis.formats import number, rate

WIDTH = 80
FIRST, COLUMN = 10, 17


def closing(summary: dict[str, Any]) -> str:
    """What a run ends with, from the report's summary: headlines, tables, alarms and warnings, 80 wide."""
    lines: list[str] = []
    for case in summary["cases"]:
        headline = summary["headlines"].get(case, "")
        lines += ["", *textwrap.wrap(f"{case}: {headline}" if headline else case, WIDTH)]
        lines += _table(case, summary["tables"])
    if summary["cases"]:
        legend = "Failed of all trials, and median validation loss; * marks the arm's chosen learning rate."
        lines += ["", *textwrap.wrap(legend, WIDTH)]
    else:
        lines += ["", *textwrap.wrap(summary["finding"][0], WIDTH)]
    for line in (*summary["alarms"], *summary["warnings"]):
        lines += textwrap.wrap(f"! {line}", WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def _table(case: str, tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A row for each learning rate and a column for each arm, as many side by side as fit."""
    cells = [row for row in tables.get("learning_rates", []) if row["case"] == case]
    chosen = {(row["arm"], row["lr"]) for row in tables.get("best_setting", []) if row["case"] == case}
    arms = list(dict.fromkeys(row["arm"] for row in cells))
    texts = {(row["arm"], row["lr"]): _cell(row, (row["arm"], row["lr"]) in chosen) for row in cells}
    rates = sorted({row["lr"] for row in cells})
    lines = []
    side_by_side = (WIDTH - FIRST) // COLUMN
    for start in range(0, len(arms), side_by_side):
        some = arms[start : start + side_by_side]
        heads = [_short(arm) for arm in some]
        lines += ["", "lr".ljust(FIRST) + "".join(head.rjust(COLUMN) for head in heads)]
        for lr in rates:
            row = "".join(texts.get((arm, lr), "–").rjust(COLUMN) for arm in some)
            lines.append(f"{rate(lr)}".ljust(FIRST) + row)
    return lines


def _cell(row: dict[str, Any], chosen: bool) -> str:
    return f"{row['failed']}/{row['n']} {number(row['median'])}{'*' if chosen else ' '}"


def _short(arm: str) -> str:
    return arm if len(arm) < COLUMN else f"{arm[: COLUMN - 3]}…"
