"""Rounds of trials after the grid: each a pure function of the config, the trials so far and their records."""

from itertools import chain, count, islice
from math import inf

import pandas as pd

from analysis.prepare import name_cases, prepare
from analysis.statistics.precision import precision
from analysis.trial_table import trial_table
from study.config import StudyConfig
from study.refine.planned import PlannedTrial
from study.refine.rule import wanted
from study.refine.wide import wide_intervals
from trainables.results.record import Record


def with_rounds(
    config: StudyConfig, trials: list[PlannedTrial], records: dict[str, Record]
) -> list[PlannedTrial]:
    """The trials and all further ones that follow from their records; no further ones while a record is missing."""
    while config.refine is not None and all(trial.id in records for trial in trials):
        more = next_round(config, trials, records)
        if not more:
            break
        trials = [*trials, *more]
    return trials


def next_round(
    config: StudyConfig, trials: list[PlannedTrial], records: dict[str, Record]
) -> list[PlannedTrial]:
    """The trials of the round after `trials`; none if the answer is precise enough or the budget is spent."""
    refine = config.refine
    if refine is None:
        return []
    table = _table(config, trials, records)
    results = prepare(table)
    if results.empty:
        return []
    planned = name_cases(table).groupby(["case", "arm", "lr"])["seed"].nunique()
    by_id = {trial.id: trial for trial in trials}
    examples = {
        (row.case, row.arm): by_id[row.trial] for row in results.drop_duplicates(["case", "arm"]).itertuples()
    }
    more: dict[str, PlannedTrial] = {}
    number = 1 + max(trial.round for trial in trials)
    for group in wanted(results, planned, refine.edge or inf, refine.score or inf):
        new = {}
        for want in group:
            for seed in seeds(config, want.seeds):
                trial = _at(examples[want.case, want.arm], want.lr, seed, number)
                if trial.id not in by_id and trial.id not in more:
                    new[trial.id] = trial
        if len(trials) + len(more) + len(new) <= refine.budget:
            more |= new
    return list(more.values())


def still_open(config: StudyConfig, trials: list[PlannedTrial], records: dict[str, Record]) -> list[str]:
    """A line for each interval that is wider than requested."""
    results = prepare(_table(config, trials, records))
    if config.refine is None or results.empty:
        return []
    found = wide_intervals(precision(results), config.refine.edge, config.refine.score)
    return [wide.line(with_case=results["case"].nunique() > 1) for wide in found]


def seeds(config: StudyConfig, number: int) -> list[int]:
    """The first seeds of a study: those of the grid, then those that follow the largest."""
    listed = config.grid["seed"]
    return list(islice(chain(listed, count(max(listed) + 1)), number))


def _table(config: StudyConfig, trials: list[PlannedTrial], records: dict[str, Record]) -> pd.DataFrame:
    return trial_table([trial.entry() for trial in trials], config.name, records, config.control)


def _at(example: PlannedTrial, lr: float, seed: int, number: int) -> PlannedTrial:
    """The trial like `example` at another learning rate and seed."""
    training, shared = (
        block and block.model_copy(update={"lr": lr}) for block in (example.spec.training, example.shared)
    )
    spec = example.spec.model_copy(update={"training": training, "seed": seed})
    return PlannedTrial(spec.id, example.arm, spec, shared, number)
