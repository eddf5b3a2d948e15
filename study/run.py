"""Run the missing trials of a study: Ray Tune runs them, the results folder keeps their records."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from study.config import StudyConfig
from study.execution.engine import run_trials
from study.execution.naming import configs
from study.execution.news import News
from study.execution.preflight import check
from study.execution.same_sources import check_sources
from study.execution.search import Config, PlannedSearch
from study.execution.session import connected, terminated_like_interrupted
from study.execution.tracking import Callback
from study.folder import check_folder, further_rounds, known_trials, write_folder
from study.lock import locked
from study.progress import Progress, console
from study.refine.planned import PlannedTrial
from study.rehearsal.planner import Planner
from trainables.results.canonical import canonical_json
from trainables.results.crashes import crash_line
from trainables.results.outcomes import Outcome
from trainables.results.record import Record, damaged_files, read_records, record_path
from trainables.results.store import Store
from trainables.worker.conditions import Conditions
from trainables.worker.entry import trainable
from trainables.worker.printed import copies_removed

REPORT_SECONDS = 10.0
LIVE_SECONDS = 1.0  # between two reports of a trial whose curve is shown live


def run_study(
    planner: Planner,
    planned: Callable[[], tuple[StudyConfig, list[PlannedTrial]]],
    store: Store,
    data_folder: str,
    address: str | None,
    retry_crashed: bool = False,
    callbacks: Sequence[Callback] = (),
    try_first: bool = True,
) -> None:
    """Run every planned trial that has no record.

    Args:
        planner: Plans and checks the trials while this process starts Ray.
        planned: Waits for the study and its first round.
        retry_crashed: Whether to run crashed trials again.
        callbacks: Tune callbacks, called while trials run.
        try_first: Whether to try each kind of trial with `study.rehearsal.check` before the first trial.

    Raises:
        BadInput: Before any trial starts.
        KeyboardInterrupt: After Ctrl-C or SIGTERM, with all finished trials kept.
    """
    code_folder, show = os.getcwd(), console()
    say = partial(show.print, highlight=False, markup=False, soft_wrap=True)
    with terminated_like_interrupted(), locked(store) as run, copies_removed(run):
        say("starting Ray" if address is None else f"joining the Ray cluster at {address}")
        with connected(address):
            config, grid = planned()
            trials, records, crashed, lines = _found(config, grid, store, retry_crashed)
            for line in lines:
                say(line)
            missing = [trial for trial in trials if trial.id not in records]
            if not missing:
                write_folder(store, config, trials)
                return
            if try_first:
                say("loading data and checking each arm: network, one step, projection")
            before = [record.sources for record in records.values() if record.sources]
            checked = planner.begin(_check, missing, store.uri, before, data_folder, try_first)
            say("checking nodes")
            check(config.resources, store, data_folder, _tasks(missing))
            for line in checked():
                say(line)
            planner.end()  # leaves its memory to the trials
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
                report_seconds=LIVE_SECONDS if callbacks else REPORT_SECONDS,
            )
            say("running 1 trial" if len(missing) == 1 else f"running {len(missing):,} trials")
            with Progress(trials, records, show) as progress:
                rounds = Rounds(config, store, trials, progress)
                search = PlannedSearch(configs(missing, config), rounds.next)
                run_trials(
                    search,
                    config.resources,
                    partial(trainable, conditions=conditions),
                    rounds.follow,
                    callbacks,
                )


class Found(NamedTuple):
    """The trials of all rounds so far, and their results in a folder.

    Attributes:
        records: Good records by trial id.
        crashed: Ids of the crashed trials to run again.
        lines: One for each damaged file.
    """

    trials: list[PlannedTrial]
    records: dict[str, Record]
    crashed: list[str]
    lines: list[str]


def _found(config: StudyConfig, grid: list[PlannedTrial], store: Store, retry_crashed: bool) -> Found:
    """The trials and records that the folder of a study contains.

    Raises:
        BadInput: If the folder belongs to another study.
    """
    trials = known_trials(store, config, grid)
    damaged = check_folder(store, config, trials)
    records, complaints = read_records(store, [trial.id for trial in trials])
    crashed = [
        name for name, record in records.items() if retry_crashed and record.outcome == Outcome.CRASHED
    ]
    unfit = damaged_files(store, records.values())
    records = {name: record for name, record in records.items() if name not in {*crashed, *unfit}}
    lines = [f"{file}; it will be rewritten" for file in damaged]
    lines += [f"{complaint}; the trial is run again" for complaint in (*complaints, *unfit.values())]
    return Found(further_rounds(config, trials, records), records, crashed, lines)


def _check(
    missing: list[PlannedTrial],
    results: str,
    before: list[dict[str, str]],
    data_folder: str,
    try_first: bool,
) -> list[str]:
    """Raise BadInput if a trial would not work or has other sources than the recorded ones; return warnings."""
    check_sources(results, missing, before, data_folder)
    if not try_first:
        return []
    from study.rehearsal.check import check_trials

    return [line for facts in check_trials(missing, data_folder) for line in facts.warnings]


class Rounds:
    """A run in progress: the trials that have ended, and the rounds that follow from them.

    Args:
        trials: Trials of the rounds so far.
        progress: Shows what happens.
    """

    def __init__(
        self, config: StudyConfig, store: Store, trials: list[PlannedTrial], progress: Progress
    ) -> None:
        self.config, self.store, self.trials, self.progress = config, store, trials, progress

    def next(self) -> list[Config]:
        """Plan the next round and write it to the folder; called when the previous one is done."""
        if self.config.refine is None:
            return []
        records, _ = read_records(self.store, [trial.id for trial in self.trials])
        known = {trial.id for trial in self.trials}
        self.trials = further_rounds(self.config, self.trials, records)
        new = [trial for trial in self.trials if trial.id not in known]
        if new:
            write_folder(self.store, self.config, self.trials)
            self.progress.extend(new)
        return configs(new, self.config)

    def follow(self, news: News) -> None:
        """Show what has happened, and why trials crashed."""
        crashes = [trial.id for trial in news.ended if trial.outcome == Outcome.CRASHED]
        for record in read_records(self.store, crashes)[0].values():
            self.progress.say(
                f"trial {record.id} ({self.progress.arms[record.id]}) crashed: {crash_line(record)}"
            )
        self.progress.update(news)


def _tasks(trials: list[PlannedTrial]) -> list[dict[str, Any]]:
    """The distinct task descriptions of the trials."""
    return list({canonical_json(trial.spec.task): trial.spec.task for trial in trials}.values())
