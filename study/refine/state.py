"""How far a refined study has come, from the files of its results folder alone."""

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
        budget: Most trials of the study.
        planned: Trials planned in each round, by its number; the grid is round 1.
        missing: Those of them that have no record yet.
        wide: The intervals that are still wider than asked, by the results so far.
        cases: Number of cases that the study has.
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
        """The state as `study status --json` has it."""
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
        The rounds in order, and what is open.

    Raises:
        ValueError: The folder's study.yaml has no `refine`, or one that is not as this program writes it.
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
