"""Trials of a study as trials of Ray Tune, until the plan and all its rounds are done."""

import logging
import os
import pickle
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Tune and Ray read these when they are imported.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # a CSV and a JSON file of each trial
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C is this project's to handle
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # progress is this project's to show
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # relative paths mean the same in every worker
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000000")  # nothing is restored from Tune's snapshots
# An autoscaler derives demand from the trials that wait for a worker, so more of them may wait than fit.
os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", "200")

import ray
from ray import cloudpickle, tune
from ray.exceptions import RayError
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from study.config import Resources
from study.execution.news import Ended, News
from study.execution.private import keep_keys_here
from study.execution.search import Config, PlannedSearch
from study.execution.tracking import Guarded
from trainables.errors import BadInput
from trainables.results.store import Unavailable

Train = Callable[[Config], dict[str, Any]]

logging.getLogger("ray.tune.tune").setLevel(
    logging.CRITICAL
)  # it lists trials that lost a worker, even if they ran again

LOSSES = 20  # how often one trial may lose its worker before it is left without a record
FRUITLESS = 2 * LOSSES  # lost workers for each that runs, with no epoch in between, before the run ends
POLL_SECONDS = 1.0


def run_trials(
    search: PlannedSearch,
    resources: Resources,
    train: Train,
    show: Callable[[News], None],
    callbacks: Sequence[tune.Callback] = (),
) -> None:
    """Run the trials that a search suggests, until it suggests none.

    Args:
        train: Runs a trial in a worker, given its config, and returns its numbers.
        show: Called about once a second with the news.
        callbacks: Tune's own or a user's, called while trials run; an exception in one costs a line, not the run.

    Raises:
        BadInput: If a worker cannot import what trials need.
        Unavailable: If the results folder cannot be reached.
        ConnectionError: If Ray was lost.
    """
    keep_keys_here()
    watch, pickled = Watch(show, search.again), cloudpickle.dumps(train)

    # Ray sends a nested function by value: an import that fails on a worker raises within the trial, and its type is
    # known here, whereas a class that cannot be loaded would only appear as a lost worker.
    def unpickle_and_train(config: Config) -> dict[str, Any]:
        return pickle.loads(pickled)(config)

    # Only the driver ever writes here: anything that all nodes must see goes directly to the results folder.
    with tempfile.TemporaryDirectory(prefix="study-tune-") as scratch:
        try:
            tune.run(
                unpickle_and_train,
                name="trials",
                storage_path=scratch,
                resources_per_trial={"cpu": resources.cpus, "gpu": resources.gpus},
                num_samples=-1,
                search_alg=search,
                scheduler=InOrder(),
                max_concurrent_trials=resources.concurrent,
                max_failures=LOSSES,
                raise_on_failed_trial=False,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
                callbacks=[watch, *(Guarded(callback) for callback in callbacks)],
                verbose=0,
            )
            watch.look()
        except Exception as error:
            reason = watch.reason or error  # Tune wraps the exceptions of callbacks
            if isinstance(reason, RayError):
                raise ConnectionError(f"Ray was lost ({_brief(str(reason))})") from reason
            raise reason from None


def _name(trial: Trial) -> str:
    return str(trial.config["name"])


class InOrder(FIFOScheduler):
    """Trials in the order of the plan, so that a run that is stopped halfway has whole points of the grid.

    Tune takes any of the waiting trials when a worker becomes free. Its default scheduler goes through all trials,
    including ended ones, at every step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[Trial] = deque()

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Queue a trial; one whose worker was lost is added again."""
        self.waiting.append(trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The first trial that has no worker yet; None if all have one."""
        while self.waiting and _has_worker(self.waiting[0]):
            self.waiting.popleft()
        return self.waiting[0] if self.waiting else None


def _has_worker(trial: Trial) -> bool:
    return trial.status != Trial.PENDING or trial.temporary_state.ray_actor is not None


class Watch(tune.Callback):
    """Counts trials as they start and end, and ends the run if no worker can make progress.

    Args:
        show: Called about once a second with the news.
        again: Called with the config of a trial that Tune has given up and that must run nevertheless.
    """

    def __init__(self, show: Callable[[News], None], again: Callable[[Config], None]) -> None:
        self.show, self.again = show, again
        self.running: set[str] = set()
        self.most_running = 1
        self.fruitless = 0  # workers lost since an epoch was reported or a trial ended
        self.ended: list[Ended] = []  # since the last look, like `lost`
        self.lost: list[str] = []
        self.last_look = 0.0
        self.node = ray.get_runtime_context().get_node_id()
        self.reason: Exception | None = None  # for ending the run early

    def look(self) -> None:
        """Show what has happened since the last call; end the run if the driver's own node is lost.

        Ray usually ends the driver then, but not always, and Tune would wait for workers forever.
        """
        if not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == self.node):
            self.reason = ConnectionError("Ray was lost (the node of this process is gone)")
            raise self.reason
        news = News(self.ended, len(self.running), tuple(self.lost))
        self.ended, self.lost, self.last_look = [], [], time.monotonic()
        self.show(news)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Look if a second has passed."""
        if time.monotonic() - self.last_look > POLL_SECONDS:
            self.look()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Count a trial that runs now."""
        self.running.add(trial.trial_id)
        self.most_running = max(self.most_running, len(self.running))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Note that a trial makes progress."""
        self.fruitless = 0

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Count a trial that has its record."""
        self.fruitless = 0
        self.running.discard(trial.trial_id)
        result = trial.last_result
        self.ended.append(
            Ended(
                trial.config["trial"], result["outcome"], result.get("val_metric"), result.get("metric_goal")
            )
        )

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Note a lost worker; end the run if its error would recur."""
        self.running.discard(trial.trial_id)
        error = _last_error(trial)
        cause = getattr(error, "cause", error)
        # Errors of a trial itself are in its record: these occurred before it began.
        if isinstance(cause, Unavailable):
            self.reason = cause
        elif isinstance(cause, ImportError):
            self.reason = BadInput(
                f"a worker cannot import what trials need ({type(cause).__name__}: {cause}); "
                "install it on every node"
            )
        self._count_loss(_brief(str(error)))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Note the last loss of a trial, or suggest it again.

        If a worker is lost as it takes over a trial, Tune reports a loss, which is noted, and then gives up the
        trial, since it has not run yet.
        """
        if trial.run_metadata.num_failures <= LOSSES:
            self.again(trial.config)
        else:
            self.on_trial_recover(iteration, trials, trial)

    def _count_loss(self, why: str) -> None:
        """Count a lost worker; end the run after so many without any progress."""
        self.lost.append(why)
        self.fruitless += 1
        if self.reason is None and self.fruitless > FRUITLESS * self.most_running:
            self.reason = ConnectionError(
                f"{self.fruitless} workers in a row were lost before any trial made progress ({why}); "
                "give workers more memory or time, or run fewer at once with `resources.concurrent`"
            )
        if self.reason is not None:
            raise self.reason


def _last_error(trial: Trial) -> BaseException:
    """The last exception of a trial, from the file in which Tune keeps it until the trial has ended."""
    if trial.pickled_error_file is not None:
        return cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    return RuntimeError(Path(trial.error_file).read_text() if trial.error_file else "unknown reason")


def _brief(error: str) -> str:
    """The error in one line, without the text that Ray puts before and after it."""
    detail = error.partition("Worker exit detail: ")[2] or error.strip().splitlines()[-1]
    return detail.partition(" Some common causes")[0].strip(" .")
