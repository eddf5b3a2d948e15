"""Tables of a study that was refined in rounds."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.formats import number, percent
from analysis.prepare import first_round
from analysis.statistics.precision import precision
from analysis.tables.table import ARM, Table

GRID_ONLY = " For the grid alone: later rounds lie where failures start, and would bias it."


def is_refined(trials: pd.DataFrame) -> bool:
    """Whether there are trials of rounds after the grid."""
    return len(first_round(trials)) < len(trials)


def of_the_grid(table: Table) -> Table:
    """The table with a note in its caption that it leaves out later rounds."""
    return replace(table, caption=table.caption + GRID_ONLY)


def rounds(trials: pd.DataFrame) -> Table:
    """How many rounds and trials each arm has, and how precise the answer has become."""
    return Table(
        "rounds",
        "Rounds after the grid",
        "Trials added where they decide: half-width of the interval of LR50, as far as it lies within the range of "
        "learning rates (0: known to lie outside), and of the paired difference of scores as a share of the "
        "control's mean; the grid alone in brackets.",
        _precision_by_round(trials) if is_refined(trials) else pd.DataFrame(),
        ARM
        | {
            "Rounds": lambda row: f"{row.rounds:.0f}",
            "Trials (after the grid)": lambda row: f"{row.trials:.0f} ({row.later:.0f})",
            "LR50 ±, decades (grid)": lambda row: f"{number(row.edge)} ({number(row.edge_of_grid)})",
            "Score ± (grid)": lambda row: _shares(row.score, row.score_of_grid),
        },
    )


def _precision_by_round(trials: pd.DataFrame) -> pd.DataFrame:
    """`precision` of all trials beside that of the grid, with the numbers of trials and rounds."""
    grid = precision(first_round(trials)).set_index(["case", "arm"])[["edge", "score"]]
    frame = precision(trials).join(grid, on=["case", "arm"], rsuffix="_of_grid")
    counts = trials.groupby(["case", "arm"]).agg(trials=("round", "size"), rounds=("round", "max"))
    later = trials[trials["round"] > 1].groupby(["case", "arm"]).size().rename("later")
    return frame.join(counts, on=["case", "arm"]).join(later, on=["case", "arm"]).fillna({"later": 0})


def _shares(now: float, of_grid: float) -> str:
    return f"{percent(now)} ({percent(of_grid)})" if np.isfinite(now) else "–"
