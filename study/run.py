"""Run what is missing of a study: Ray Tune schedules the trials, the results folder remembers them."""

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Tune reads these on import: no loggers, reporters or signal handlers beside ours.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000000")  # nothing is restored from Tune's snapshots

import ray
from ray import tune

from study.config import StudyConfig
from study.lock import locked
from study.loggers import Logger
from study.plan import PlannedTrial, check_folder, count, plan, write_folder
from study.preflight import check
from study.progress import Logging, Progress, console
from study.reach import check_reachable
from trainables.record import read_records, record_path
from trainables.registry import BadInput
from trainables.spec import canonical_json
from trainables.store import Store
from trainables.trainable import trainable

CHUNK = 500  # trials handed to Tune at once: its memory and its snapshots grow with their number
QUIET = {"log_to_driver": False, "logging_level": "error"}
LOST_NODES = 20  # how often one trial may lose its worker before Tune gives it up


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
        check_folder(store, config, trials)
        records, complaints = read_records(store, [trial.id for trial in trials])
        crashed = [name for name, record in records.items() if retry_crashed and record.outcome == "crashed"]
        records = {name: record for name, record in records.items() if name not in crashed}
        missing = [trial for trial in trials if trial.id not in records]
        show = console()
        for complaint in complaints:
            show.print(f"{complaint}; the trial is run again", highlight=False, soft_wrap=True)
        if not missing:
            write_folder(store, config, trials)
            return
        # Ray takes SIGTERM for itself when it starts, and would end this process without tidying up.
        with _ray(address), _terminated_like_interrupted():
            check(config.resources, store, data_folder, _tasks(missing))
            write_folder(store, config, trials)
            for trial_id in crashed:
                store.delete(record_path(trial_id))
            around = {
                "results": store.uri,
                "data_folder": data_folder,
                "threads": max(1, int(config.resources.cpus)),
                "gpus": config.resources.gpus,
                "run": run,
                "limits": config.resources.limits(),
            }
            outcomes = count(records)
            with Progress(len(trials), len(records), outcomes["failed"], show) as progress:
                callbacks = [progress, *([Logging(store, loggers)] if loggers else [])]
                for chunk in _chunks(missing):
                    _schedule(chunk, config, around, callbacks)
            if progress.last_error:
                show.print(f"last error of a worker: {progress.last_error}", highlight=False, soft_wrap=True)


def _tasks(trials: list[PlannedTrial]) -> list[dict[str, Any]]:
    """The different task descriptions among the trials."""
    return list({canonical_json(trial.spec.task): trial.spec.task for trial in trials}.values())


def _chunks(trials: list[PlannedTrial]) -> Iterator[list[PlannedTrial]]:
    for start in range(0, len(trials), CHUNK):
        yield trials[start : start + CHUNK]


def _schedule(
    trials: list[PlannedTrial], config: StudyConfig, around: dict[str, Any], callbacks: list[tune.Callback]
) -> None:
    specs = {trial.id: trial.spec.model_dump_json() for trial in trials}
    resources = {"cpu": config.resources.cpus, "gpu": config.resources.gpus}
    # Only the driver ever writes there: what must be seen by all nodes goes to the results folder by itself.
    with tempfile.TemporaryDirectory(prefix="study-tune-") as scratch:
        tune.Tuner(
            tune.with_resources(tune.with_parameters(trainable, specs=specs, around=around), resources),
            param_space={"id": tune.grid_search(list(specs))},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                max_concurrent_trials=config.resources.concurrent,
                trial_name_creator=lambda trial: trial.config["id"],
                trial_dirname_creator=lambda trial: trial.config["id"],
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=LOST_NODES),
                callbacks=callbacks,
            ),
        ).fit()


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """Ray for the time of the block: the cluster at `address`, or one of its own on the loopback interface."""
    if address is None:
        # Workers must find a user's own model where the command was given.
        paths = os.pathsep.join([os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])])
        # "local": a cluster that happens to run on this machine is somebody else's.
        local = {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        ray.init(**local, **QUIET, runtime_env={"env_vars": {"PYTHONPATH": paths}})
    else:
        host, colon, port = address.rpartition(":")
        if colon and port.isdigit():
            check_reachable(address, host, int(port))
        try:
            ray.init(address=address, **QUIET)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadInput(f"--address {address}: no Ray cluster to run on there ({reason})") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C: a batch system's polite end must clean up too."""

    def interrupt(*unused: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
