"""The progress of a refined study, from the files of its results folder alone."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.load import load_results
from analysis.prepare import prepare
from analysis.statistics.precision import precision
from analysis.trial_table import MISSING
from study.config import Refine
from study.refine.wide import Wide, wide_intervals


@dataclass(frozen=True)
class RoundsState:
    """The rounds of a refined study.

    Attributes:
        budget: Largest number of trials of the study.
        planned: Number of trials planned in each round, by the round's number; the grid is round 1.
        missing: Number of these trials that have no record yet.
        wide: The intervals that are still wider than requested, by the results so far.
        cases: Number of cases in the study.
    """

    budget: int
    planned: dict[int, int]
    missing: dict[int, int]
    wide: list[Wide]
    cases: int = 1

    def lines(self) -> list[str]:
        """The state as text: a line for each round, one for the budget, one for each wide interval."""
        rounds = [
            f"round {number}: {count} trials planned, {self.missing[number]} missing"
            for number, count in self.planned.items()
        ]
        budget = f"{sum(self.planned.values())} trials of a budget of {self.budget}"
        return [*rounds, budget, *(f"open: {wide.line(self.cases > 1)}" for wide in self.wide)]

    def as_json(self) -> dict[str, Any]:
        """The state as `study status --json` prints it."""
        rounds = [
            {"round": number, "planned": count, "missing": self.missing[number]}
            for number, count in self.planned.items()
        ]
        return {"budget": self.budget, "rounds": rounds, "open": [wide.as_json() for wide in self.wide]}


def state_of_rounds(folder: str) -> RoundsState:
    """The state of the refined study in a results folder; imports nothing that its files name.

    Args:
        folder: A results folder or packed file whose study.yaml has `refine`.

    Returns:
        The rounds in order, and the intervals that are still too wide.

    Raises:
        ValueError: If the folder's study.yaml has no `refine`, or an invalid one.
    """
    results = load_results(folder)
    refine = Refine(**(results.config.get("refine") or {}))
    everything = pd.concat([results.trials, results.missing], ignore_index=True)
    rounds = everything["round"].astype(int)
    planned = rounds.value_counts().sort_index()
    missing = rounds[everything["outcome"] == MISSING].value_counts()
    trials = prepare(results.trials)
    wide = [] if trials.empty else wide_intervals(precision(trials), refine.edge, refine.score)
    return RoundsState(
        refine.budget,
        {int(number): int(count) for number, count in planned.items()},
        {int(number): int(missing.get(number, 0)) for number in planned.index},
        wide,
        trials["case"].nunique(),
    )
