"""Slots of the cluster, held by Ray Tune: as many as fit, each running trials of the queue until none is left."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# Read by Tune on import, by Ray later: no loggers, reporters, tracebacks or signal handlers beside ours.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000000")  # nothing is restored from Tune's snapshots

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.execution import class_cache
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.config import Resources
from study.execution.queue import News, TrialQueue
from trainables.errors import BadInput
from trainables.results.store import Unavailable
from trainables.worker.conditions import Conditions
from trainables.worker.trainable import trainable

# Tune would send the driver's AWS keys along with the slots, and Ray would write them to its log on every node.
class_cache.ENV_VARS_TO_PROPAGATE = {
    name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")
}

# Ray prints many lines for each lost worker; the Watch prints one.
ray._private.worker._worker_logs_enabled = False

MOST_SLOTS = 1000  # that a run asks for at once; an autoscaler sees them as demand
LOST_WORKERS = 1000  # how often one slot may lose its worker
LOOK_SECONDS = 0.5


def run_trials(
    specs: dict[str, str], resources: Resources, conditions: Conditions, show: Callable[[News], None]
) -> None:
    """Run the trials.

    specs: JSON of each spec by its id
    conditions: what the trials share
    show: called several times a second with what has happened
    Raises BadInput where a worker cannot import what trials need, Unavailable where the results folder is away,
    ConnectionError where Ray is.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    queue: Any = ray.remote(num_cpus=0)(TrialQueue).options(scheduling_strategy=here).remote(specs)
    watch = Watch(queue, show)
    shares = {"cpu": resources.cpus, "gpu": resources.gpus}
    # Only the driver ever writes there: what must be seen by all nodes goes to the results folder by itself.
    with tempfile.TemporaryDirectory(prefix="study-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(trainable, queue=queue, conditions=conditions), shares),
            # Samples without parameters: a grid of numbers would be copied once for each of its numbers.
            tune_config=tune.TuneConfig(
                num_samples=min(len(specs), MOST_SLOTS),
                reuse_actors=True,
                max_concurrent_trials=resources.concurrent,
            ),
            run_config=tune.RunConfig(
                name="slots",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=LOST_WORKERS),
                callbacks=[watch],
                stop=Finished(watch),
            ),
        )
        try:
            tuner.fit()
            watch.look()
        except Exception as error:
            reason = watch.reason or error  # Tune wraps what a callback raises
            if isinstance(reason, RayError):
                raise ConnectionError(f"Ray was lost ({_brief(str(reason))})") from reason
            raise reason from None


class Watch(tune.Callback):
    """Tells the queue of lost workers, and the driver of what the queue has seen."""

    def __init__(self, queue: "ray.actor.ActorHandle", show: Callable[[News], None]) -> None:
        self.queue, self.show = queue, show
        self.lost: list[str] = []  # since the last look
        self.finished, self.last_look = False, 0.0
        self.reason: Exception | None = None  # for ending the run before its time

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        # Tune pickles its callbacks to restore a sweep from them, which never happens here.
        return tune.Callback, ()

    def ask(self, method: str, *arguments: str) -> Any:
        """What the queue answers; without it the run ends."""
        try:
            return ray.get(getattr(self.queue, method).remote(*arguments))
        except RayError as error:
            self.reason = error
            raise

    def look(self) -> None:
        """Show what has happened since the last look."""
        news = self.ask("news")
        lost, self.lost = tuple(map(_brief, self.lost)), []
        self.finished, self.last_look = news.left == 0, time.monotonic()
        self.show(replace(news, lost=lost))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if time.monotonic() - self.last_look > LOOK_SECONDS:
            self.look()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.ask("lost", trial.trial_id)
        error = _last_error(trial)
        self.lost.append(error)
        # Errors of a trial's own are in its record: these came before it, and would come again and again.
        _, unavailable, storage = error.partition(f"{Unavailable.__name__}: ")
        if unavailable:
            self.reason = Unavailable(storage)
        elif "ImportError" in error or "ModuleNotFoundError" in error:
            self.reason = BadInput(
                f"a worker cannot import what trials need ({error}); install it on every node"
            )
        if self.reason is not None:
            raise self.reason

    on_trial_recover = on_trial_error


class Finished(tune.Stopper):
    """Ends the slots that still wait for a place when no trial is left."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def __reduce__(self) -> tuple[type[tune.Stopper], tuple[()]]:
        return tune.Stopper, ()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.watch.finished


def _last_error(trial: Any) -> str:
    """The line that says most of what Tune wrote about the last failure of a slot: a failed import, or the last."""
    lines = Path(trial.error_file).read_text(errors="replace").strip().splitlines()
    # Ray wraps what goes wrong on loading a worker's code in its own errors, which end otherwise.
    imports = [line for line in lines if line.startswith(("ImportError", "ModuleNotFoundError"))]
    return (imports or lines or [""])[-1]


def _brief(error: str) -> str:
    """The error without what Ray puts before and behind it."""
    detail = error.partition("Worker exit detail: ")[2] or error
    return detail.partition(" Some common causes")[0].strip(" .")
