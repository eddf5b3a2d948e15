"""Run what is missing of a study: slots of a cluster take the trials, the results folder remembers them."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.console import Console

from study.config import StudyConfig
from study.execution.loggers import Logger, log_trial
from study.execution.preflight import check
from study.execution.queue import News
from study.execution.same_sources import check_sources
from study.execution.session import connected, terminated_like_interrupted
from study.execution.slots import run_trials
from study.lock import locked
from study.plan import check_folder, count, later_rounds, plan, write_folder
from study.progress import Progress, console
from study.refine.planned import PlannedTrial
from study.refine.rounds import with_rounds
from study.rehearsal.check import check_trials
from trainables.results.canonical import canonical_json
from trainables.results.crashes import crash_line
from trainables.results.outcomes import Outcome
from trainables.results.record import Record, damaged_files, read_records, record_path
from trainables.results.store import Store
from trainables.worker.conditions import Conditions
from trainables.worker.printed import copies_removed


def run_study(
    config: StudyConfig,
    store: Store,
    data_folder: str,
    address: str | None,
    retry_crashed: bool = False,
    loggers: Sequence[Logger] = (),
    try_first: bool = True,
) -> None:
    """Give every planned trial that has no record one. Raises BadInput before any worker starts.

    retry_crashed: whether a record that says crashed counts as none
    loggers: get each trial that ends
    try_first: whether to take each kind of trial through `study.rehearsal.check` before the first
    KeyboardInterrupt (Ctrl-C or SIGTERM) passes through with all finished trials kept.
    """
    grid = plan(config)
    code_folder = os.getcwd()
    with terminated_like_interrupted(), locked(store) as run, copies_removed(run):
        there = {trial.id for trial in grid}
        trials = grid + [trial for trial in later_rounds(store, config) if trial.id not in there]
        damaged = check_folder(store, config, trials)
        records, complaints = read_records(store, [trial.id for trial in trials])
        crashed = [
            name for name, record in records.items() if retry_crashed and record.outcome == Outcome.CRASHED
        ]
        unfit = damaged_files(store, records.values())
        records = {name: record for name, record in records.items() if name not in {*crashed, *unfit}}
        trials = with_rounds(config, trials, records)
        check_sources(store, [trial for trial in trials if trial.id not in records], records, data_folder)
        missing = [trial for trial in trials if trial.id not in records]
        show = console()
        say = partial(show.print, highlight=False, markup=False, soft_wrap=True)
        said = [f"{file}; it is written again" for file in damaged]
        said += [f"{complaint}; the trial is run again" for complaint in (*complaints, *unfit.values())]
        for line in said:
            say(line)
        if not missing:
            write_folder(store, config, trials)
            return
        if try_first:
            say("loading data and checking each arm: network, one step, projection")
            for line in (line for facts in check_trials(missing, data_folder) for line in facts.warnings):
                say(line)
        say("starting Ray" if address is None else f"joining the Ray cluster at {address}")
        with connected(address):
            say("checking nodes")
            check(config.resources, store, data_folder, _tasks(missing))
            write_folder(store, config, trials)
            for trial_id in crashed:
                store.delete(record_path(trial_id))
            conditions = Conditions(
                results=store.uri,
                data_folder=data_folder,
                code_folder=code_folder,
                run=run,
                threads=max(1, int(config.resources.cpus)),
                gpus=config.resources.gpus,
                processes=config.resources.processes,
                limits=config.resources.limits(),
            )
            while missing:
                say("running 1 trial" if len(missing) == 1 else f"running {len(missing):,} trials")
                _run_round(config, trials, records, missing, conditions, store, loggers, show)
                records, _ = read_records(store, [trial.id for trial in trials])
                known = {trial.id for trial in trials}
                trials = with_rounds(config, trials, records)
                missing = [trial for trial in trials if trial.id not in known]
                write_folder(store, config, trials)


def _run_round(
    config: StudyConfig,
    trials: list[PlannedTrial],
    records: dict[str, Record],
    missing: list[PlannedTrial],
    conditions: Conditions,
    store: Store,
    loggers: Sequence[Logger],
    show: Console,
) -> None:
    """Run those trials of a plan that have no record, with their progress shown."""
    stage = f"round {max(trial.round for trial in trials)}: " if config.refine is not None else ""
    with Progress(len(trials), len(records), count(records)[Outcome.FAILED], show, stage) as progress:

        def follow(news: News) -> None:
            for trial in news.ended if loggers else ():
                log_trial(loggers, store, trial.id)
            crashes = [trial.id for trial in news.ended if trial.outcome == Outcome.CRASHED]
            for record in read_records(store, crashes)[0].values():
                progress.say(f"trial {record.id} ({arms[record.id]}) crashed: {crash_line(record)}")
            progress.update(news)

        arms = {trial.id: trial.arm for trial in missing}
        specs = {trial.id: trial.spec.model_dump_json() for trial in missing}
        run_trials(specs, config.resources, conditions, follow)


def _tasks(trials: list[PlannedTrial]) -> list[dict[str, Any]]:
    """The different task descriptions among the trials."""
    return list({canonical_json(trial.spec.task): trial.spec.task for trial in trials}.values())
