"""Checks before the first trial for problems that a run would discover too late.

Each task's data is loaded once. Each arm's model is built for every value of an axis and goes through a miniature
trial: a training step at full theta, the projection, and the test in float64 that measures its equivariance.
"""

import errno
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from study.config import override, presets, resolve_config
from study.plan import PlannedTrial, plan
from study.rehearsal.compiler import check_compiler
from study.rehearsal.small import few_samples, rehearse
from trainables import registry
from trainables.errors import BadInput, brief, raised_at
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.relaxation.summary import check_called, growth_warning
from trainables.results.alarms import EXACT
from trainables.results.canonical import canonical_json
from trainables.spec import TrialSpec
from trainables.tasks.task import Task, size
from trainables.training.building import build_model
from trainables.training.compiling import check_compilable, compile_network
from trainables.training.delivery import test
from trainables.training.epoch import project
from trainables.training.equivariance import delivered_error
from trainables.training.evaluation import pass_over
from trainables.training.run import Run
from trainables.training.step import batches, train_step
from trainables.training.streams import stream

SAMPLES = 4
NOT_BUILT_FOR = ("lr", "epochs", "batch_size", "weight_decay", "momentum", "warmup", "lr_schedule")
"""Training settings that cannot break a step."""


@dataclass
class Facts:
    """The results of checking an arm, those of its first trial if there are several settings.

    Attributes:
        strict, added: Numbers of parameters of the network, and of those that the method adds.
        layers: Names of the relaxed layers.
        error: Equivariance error of the untrained strict network, in float64.
        warnings: Problems that need not stop a run.
    """

    arm: str
    model: str
    method: str
    strict: int
    added: int
    layers: list[str]
    error: float
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The facts as human-readable lines, the warnings last."""
        size = f"{self.strict:,} parameters"
        relaxed = f", {len(self.layers)} relaxed layers add {self.added:,}: {', '.join(self.layers)}"
        return [
            f"arms.{self.arm}: {self.model} with {size}, equivariance error {self.error:.1e}"
            + (relaxed if self.layers else ""),
            *(f"warning: {line}" for line in self.warnings),
        ]


def is_model(name: str) -> bool:
    """Whether a name is that of a model, registered or `package.module:Name`, and not of a preset or file."""
    known = name in registry.REGISTRY["model"] or (":" in name and not name.endswith((".yaml", ".yml")))
    return known and name not in presets() and not Path(name).is_file()


def check_model(model: str, overrides: list[str], data_folder: str) -> list[Facts]:
    """Check one model, strict and relaxed, on n-body data or, failing that, on point clouds; returns its facts.

    Raises:
        BadInput: If it works on neither; the message is that of the first.
    """
    content: dict[str, Any] = {
        "name": "check",
        "model": {"name": model},
        "arms": {"strict": {"method": "strict"}, "relaxed": {"method": "relaxed"}},
        "grid": {"seed": 1},
    }
    tasks = ({"name": "nbody"}, {"name": "pointclouds", "points": 64})
    first: BadInput | None = None
    for task in tasks:
        small = {**task, **dict.fromkeys(("train", "val", "test"), 2 * SAMPLES)}
        try:
            changed = override(deepcopy({**content, "task": small}), overrides)
            return check_trials(plan(resolve_config(changed)), data_folder)
        except BadInput as error:
            first = first or error
    raise first or AssertionError


def check_trials(trials: Sequence[PlannedTrial], data_folder: str) -> list[Facts]:
    """Try each kind of trial on the CPU; returns the facts of each arm.

    Args:
        trials: The trials that will run.
        data_folder: The directory of downloaded and generated data sets.

    Raises:
        BadInput: If data, a model or a method does not do what a trial needs; the message names the arm.
    """
    if any(trial.spec.training.compile for trial in trials):
        check_compiler()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _check(trials, Path(data_folder).expanduser())
    finally:
        torch.set_num_threads(threads)


def _check(trials: Sequence[PlannedTrial], folder: Path) -> list[Facts]:
    tasks: dict[str, Task] = {}
    errors: dict[str, float] = {}
    facts: dict[str, Facts] = {}
    for trial in _one_of_each_kind(trials):
        spec, where = trial.spec, f"arms.{trial.arm}"
        key = canonical_json(spec.task)
        if key not in tasks:
            tasks[key] = few_samples(load_whole(spec.task, folder), SAMPLES)
        task = tasks[key]
        network = canonical_json([spec.task, spec.model])
        if network not in errors:
            with _in_one_line(f"{where}: building the network"):
                exact = build_model(spec, task, torch.float64)
            with _in_one_line(f"{where}: measuring the network's equivariance in float64"):
                errors[network] = delivered_error(exact, task)
        found = _rehearsed(trial, task, where)
        found.error = errors[network]
        if not found.error < EXACT:
            found.warnings.append(f"{where}: the network itself is not equivariant (error {found.error:.1e})")
        kept = facts.setdefault(trial.arm, found)
        kept.warnings += [line for line in found.warnings if line not in kept.warnings]
    return list(facts.values())


def _one_of_each_kind(trials: Sequence[PlannedTrial]) -> list[PlannedTrial]:
    """One trial of each kind; kinds differ in settings that can break a trial."""
    return list({_kind(trial): trial for trial in reversed(trials)}.values())[::-1]


def _kind(trial: PlannedTrial) -> str:
    spec = trial.spec.model_dump(mode="json")
    training = {key: value for key, value in spec["training"].items() if key not in NOT_BUILT_FOR}
    return canonical_json([trial.arm, spec["task"], spec["model"], spec["method"], training])


def load_whole(description: dict[str, Any], folder: Path) -> Task:
    """Load the task with all its data; BadInput, naming the task, if the data cannot be used."""
    with _in_one_line("task"):
        try:
            task: Task = registry.build("task", description, folder)
        except PermissionError as error:
            raise BadInput(
                f"--data-dir: {folder} cannot be used ({brief(error)}); choose another folder"
            ) from error
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.ENOSPC, errno.EDQUOT):
                raise
            raise BadInput(
                f"--data-dir: {folder} cannot be used ({brief(error)}); choose another folder"
            ) from error
        for name in ("train", "val", "test"):
            if size(task.splits[name]) == 0:
                raise BadInput(f"task: the split `{name}` is empty")
        return task


def _rehearsed(trial: PlannedTrial, task: Task, where: str) -> Facts:
    spec = trial.spec
    with _in_one_line(f"{where}: building the network"):
        strict = _parameters(build_model(spec, task, torch.float32))
    with _in_one_line(f"{where}: computing the network's first outputs"):
        run = rehearse(spec, task, torch.device("cpu"))
    layers = relaxed_layers(run.model)
    added = _parameters(run.model) - strict
    warnings = []
    with _in_one_line(where):
        check_compilable(spec.training, task)
    if spec.training.compile is True:
        # Traced as in the trial, forward and backward, but without generating code, which takes a minute. Not for
        # auto: several seconds for each arm are too long if the user has not requested compilation.
        compile_network(run.model, backend="aot_eager")
    with _in_one_line(f"{where}: a training step at full theta"):
        loss, *_ = train_step(
            run, next(batches(run, 0)), stream(spec.seed, "augmentation", device=run.device)
        )
    with _in_one_line(where):
        check_called(run.model)
    if not math.isfinite(float(loss)):
        warnings.append(f"{where}: the loss of the first step is {float(loss)}")
    grown = growth_warning(run.model)
    warnings += [f"{where}: {grown}"] if grown else []
    _deliver(run, spec, task, where)
    return Facts(
        trial.arm, spec.model["name"], spec.method["name"], strict, added, list(layers), math.nan, warnings
    )


def _deliver(run: Run, spec: TrialSpec, task: Task, where: str) -> None:
    """Run the end of the miniature trial."""
    if run.projection_step > 0:
        with _in_one_line(f"{where}: the projection"):
            project(run)
    with _in_one_line(f"{where}: testing the delivered model and its equivariance in float64"):
        test(spec, run.task, run.method, run.model, pass_over)


@contextmanager
def _in_one_line(where: str) -> Iterator[None]:
    """Turn any error in the block into one line, with the user's own part of the traceback."""
    try:
        yield
    except BadInput as error:
        place = where.partition(": ")[0]
        raise (error if str(error).startswith((place, "--")) else BadInput(f"{place}: {error}")) from error
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise BadInput(f"{where} failed: {raised_at(error)}") from error


def _parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
