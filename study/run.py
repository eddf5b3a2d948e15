"""Run what is missing of a study: slots of a cluster take the trials, the results folder remembers them."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray._private import ray_constants

from study.config import StudyConfig
from study.execution.loggers import Logger, log_trial
from study.execution.preflight import check
from study.execution.queue import News
from study.execution.reach import check_reachable
from study.execution.slots import run_trials
from study.lock import locked
from study.plan import PlannedTrial, check_folder, count, plan, write_folder
from study.progress import Progress, console
from trainables.errors import BadInput
from trainables.results.record import damaged_histories, read_records, record_path
from trainables.results.store import Store
from trainables.spec import canonical_json

HANDLER_SECONDS = 0.01
QUIET = {"log_to_driver": False, "logging_level": "error"}


def run_study(
    config: StudyConfig,
    store: Store,
    data_folder: str,
    address: str | None,
    retry_crashed: bool = False,
    loggers: Sequence[Logger] = (),
) -> None:
    """Give every planned trial that has no record one. Raises BadInput before any worker starts.

    retry_crashed: whether a record that says crashed counts as none
    loggers: get each trial that ends
    KeyboardInterrupt (Ctrl-C or SIGTERM) passes through with all finished trials kept.
    """
    trials = plan(config)
    with _terminated_like_interrupted(), locked(store) as run:
        damaged = check_folder(store, config, trials)
        records, complaints = read_records(store, [trial.id for trial in trials])
        crashed = [name for name, record in records.items() if retry_crashed and record.outcome == "crashed"]
        unfit = damaged_histories(store, records.values())
        records = {name: record for name, record in records.items() if name not in {*crashed, *unfit}}
        missing = [trial for trial in trials if trial.id not in records]
        show = console()
        said = [f"{file}; it is written again" for file in damaged]
        said += [f"{complaint}; the trial is run again" for complaint in (*complaints, *unfit.values())]
        for line in said:
            show.print(line, highlight=False, markup=False, soft_wrap=True)
        if not missing:
            write_folder(store, config, trials)
            return
        with _ray(address):
            check(config.resources, store, data_folder, _tasks(missing))
            write_folder(store, config, trials)
            for trial_id in crashed:
                store.delete(record_path(trial_id))
            around = {
                "results": store.uri,
                "data_folder": data_folder,
                "threads": max(1, int(config.resources.cpus)),
                "gpus": config.resources.gpus,
                "processes": config.resources.processes,
                "run": run,
                "limits": config.resources.limits(),
            }
            outcomes = count(records)
            with Progress(len(trials), len(records), outcomes["failed"], show) as progress:

                def follow(news: News) -> None:
                    for trial in news.ended if loggers else ():
                        log_trial(loggers, store, trial.id)
                    progress.update(news)

                specs = {trial.id: trial.spec.model_dump_json() for trial in missing}
                run_trials(specs, config.resources, around, follow)


def _tasks(trials: list[PlannedTrial]) -> list[dict[str, Any]]:
    """The different task descriptions among the trials."""
    return list({canonical_json(trial.spec.task): trial.spec.task for trial in trials}.values())


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """Ray for the time of the block: the cluster at `address`, or one of its own on the loopback interface."""
    start = _start_ray if address is None else partial(_join_cluster, address)
    # Ray starts in a thread, where no Ctrl-C falls: left half started by it Ray crashes on leaving. The thread lives
    # as long as Ray's processes, which end with the thread that began them.
    with ThreadPoolExecutor(1) as thread:
        try:
            started = thread.submit(start)
            # Ray takes SIGTERM for itself while it starts, and would abort this process without tidying up.
            while wait([started], HANDLER_SECONDS).not_done:
                signal.signal(signal.SIGTERM, _interrupt)
            signal.signal(signal.SIGTERM, _interrupt)
            started.result()
            yield
        finally:
            thread.submit(ray.shutdown).result()


def _start_ray() -> None:
    """Start a Ray cluster of this process's own; its workers find a user's model where the command was given."""
    # "local": a cluster that happens to run on this machine is somebody else's.
    local = {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        with _loopback_only():
            ray.init(**local, **QUIET)
    except Exception as error:  # it has no type of its own for this
        raise ConnectionError(f"Ray does not start here ({str(error).strip().splitlines()[0]})") from error


def _join_cluster(address: str) -> None:
    """Connect to the Ray cluster at `address`."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        check_reachable(address, host, int(port))
    try:
        ray.init(address=address, **QUIET)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"--address {address}: no Ray cluster to run on there ({reason})") from error


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Let Ray take 127.0.0.1 at its word: else it opens its ports, which run code, to the whole network."""
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C: a batch system's polite end must clean up too."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(*unused: object) -> None:
    raise KeyboardInterrupt
