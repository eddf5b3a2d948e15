"""Trials in TensorBoard, MLflow, Weights & Biases or a callback of the user's, live while they train.

Off unless asked for; a package is imported only then. The results folder stays the record: nothing is lost if a
callback misses it.
"""

import math
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.logger import TBXLoggerCallback

from trainables.errors import BadInput
from trainables.registry import imported

HOOKS = [name for name in vars(Callback) if name == "setup" or name.startswith("on_")]


def tensorboard(folder: str) -> Callback:
    """One run for each trial below `folder`, in a directory for its arm."""
    _package("tensorboardX", "--tensorboard")
    return TensorBoard(Path(folder))


def mlflow(uri: str, study: str) -> Callback:
    """One run for each trial at the tracking server, or directory, `uri`; the study is the experiment."""
    _package("mlflow", "--mlflow")
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    return MLflowLoggerCallback(tracking_uri=uri, experiment_name=study)


def wandb(project: str, arms: list[str]) -> list[Callback]:
    """One run for each trial in a project of Weights & Biases, grouped by arm."""
    _package("wandb", "--wandb")
    from ray.air.integrations.wandb import WandbLoggerCallback

    return [OfArm(arm, WandbLoggerCallback(project=project, group=arm)) for arm in arms]


def named(reference: str) -> Callback:
    """A user's callback, `package.module:Class`, constructed without arguments.

    Raises:
        BadInput: If there is no such class, or it is not a Tune callback.
    """
    if not all(reference.partition(":")):
        raise BadInput(f"--callback {reference}: write package.module:Class")
    kind = imported(reference, f"--callback {reference}")
    try:
        made = kind()
    except Exception as error:  # the user's code may raise anything
        raise BadInput(f"--callback {reference}: {type(error).__name__}: {error}") from error
    if not isinstance(made, Callback):
        raise BadInput(f"--callback {reference}: is not a ray.tune.Callback; derive it from that class")
    return made


class Guarded(Callback):
    """A callback whose errors cost a line on stderr (the same line only once), not the run."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.said: set[str] = set()

    def call(self, hook: str, *arguments: Any, **named: Any) -> None:
        """Call a hook of the callback."""
        try:
            getattr(self.callback, hook)(*arguments, **named)
        except Exception as error:  # a tracking server has many ways to fail
            line = f"callback {type(self.callback).__name__}: {type(error).__name__}: {error}"
            if line not in self.said:
                print(line, file=sys.stderr, flush=True)
            self.said.add(line)


class OfArm(Callback):
    """A callback for the trials of one arm."""

    def __init__(self, arm: str, callback: Callback) -> None:
        self.arm, self.callback = arm, callback

    def call(self, hook: str, *arguments: Any, **named: Any) -> None:
        """Call a hook of the callback unless it is about a trial of another arm."""
        trial = named.get("trial")
        if trial is None or trial.config["arm"] == self.arm:
            getattr(self.callback, hook)(*arguments, **named)


def _forward(hook: str) -> Callable[..., None]:
    def method(self: Guarded | OfArm, *arguments: Any, **named: Any) -> None:
        self.call(hook, *arguments, **named)

    return method


for _hook in HOOKS:
    for _class in (Guarded, OfArm):
        setattr(_class, _hook, _forward(_hook))


class TensorBoard(TBXLoggerCallback):
    """Ray's writer of TensorBoard files, in directories of the user's choice rather than in Ray's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.placed: dict[str, Trial] = {}

    def log_trial_start(self, trial: Trial) -> None:
        """Open the file of a trial."""
        folder = self.folder / trial.config["arm"] / trial.config["name"]
        placed = cast(Trial, _Placed(trial, folder))
        super().log_trial_start(self.placed.setdefault(trial.trial_id, placed))

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Write the numbers of an epoch."""
        finite = {
            name: value
            for name, value in result.items()
            if not isinstance(value, float) or math.isfinite(value)  # the writer prints a line for others
        }
        super().log_trial_result(iteration, self.placed[trial.trial_id], finite)

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """Close the file of a trial."""
        if trial.trial_id in self.placed:
            super().log_trial_end(self.placed.pop(trial.trial_id), failed)


class _Placed:
    """A trial with a different local directory."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        self.trial, self.local_path = trial, str(folder)

    def init_local_path(self) -> None:
        Path(self.local_path).mkdir(parents=True, exist_ok=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trial, name)


def _package(name: str, option: str) -> None:
    try:
        import_module(name)
    except ImportError as error:
        raise BadInput(f"{option}: needs the package {name}; pip install {name}") from error
