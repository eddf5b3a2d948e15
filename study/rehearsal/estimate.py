"""The cost of a trial, estimated from timed steps on a small part of the data."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import torch

from study.rehearsal.small import rehearse
from trainables import registry
from trainables.spec import TrialSpec
from trainables.tasks.task import Task, size
from trainables.training.epoch import project
from trainables.training.evaluation import evaluate
from trainables.training.run import Run
from trainables.training.step import batches, train_step
from trainables.training.streams import stream
from trainables.training.validation import validated

PROBE_SECONDS = 0.5
FEWEST, MOST = 4, 200  # steps that are timed
VALIDATION_SAMPLES = 16


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated timings, in seconds."""

    low: float
    median: float
    high: float

    @staticmethod
    def of(seconds: list[float]) -> "Spread":
        """Compute the spread of at least two measurements."""
        return Spread(*quantiles(seconds, n=4, method="inclusive"))


@dataclass(frozen=True)
class Cost:
    """Seconds on one core of this machine, or on its GPU.

    Attributes:
        step: Cost of a training step at full theta.
        trial: Cost of a whole trial, including its validation.
    """

    step: Spread
    trial: Spread


def cost(spec: TrialSpec, data_folder: str, device: torch.device) -> Cost:
    """The cost of the trial: its relaxed steps at full theta, then its strict phase.

    Raises BadInput, as the task does, if files of the task are missing.
    """
    torch.set_num_threads(1)
    sizes = {name: spec.task[name] for name in ("train", "val", "test") if name in spec.task}
    few = {"train": spec.training.batch_size, "val": VALIDATION_SAMPLES, "test": VALIDATION_SAMPLES}
    small = spec.task | {name: min(count, few[name]) for name, count in sizes.items()}
    task: Task = registry.build("task", small, Path(data_folder).expanduser())
    task.to(device)
    run = rehearse(spec, task, device)
    samples = {name: sizes.get(name, size(task.splits[name])) for name in ("train", "val")}
    steps = spec.training.epochs * max(1, samples["train"] // run.batch_size)
    relaxed = run.method.projection_step(steps)
    step = _timed_steps(run)
    strict = step
    if run.projection_step > 0:
        project(run)
        run.progress.step = run.projection_step
        strict = _timed_steps(run)
    validation = _timed(lambda: evaluate(run.model, task, task.splits["val"]), device)
    validated_epochs = sum(validated(spec, epoch) for epoch in range(spec.training.epochs))
    validations = validated_epochs * samples["val"] / size(task.splits["val"])

    def whole(part: Callable[[Spread], float]) -> float:
        return relaxed * part(step) + (steps - relaxed) * part(strict) + validations * part(validation)

    trial = Spread(*(whole(part) for part in (lambda s: s.low, lambda s: s.median, lambda s: s.high)))
    return Cost(step if relaxed else strict, trial)


def _timed_steps(run: Run) -> Spread:
    (index,) = batches(run, 0)
    augmentation = stream(run.spec.seed, "augmentation", device=run.device)
    return _timed(lambda: train_step(run, index, augmentation), run.device)


def _timed(work: Callable[[], object], device: torch.device) -> Spread:
    """Time repeated calls, after two untimed ones that bear the one-off costs."""
    seconds: list[float] = []
    for _ in range(2):
        work()
    while len(seconds) < FEWEST or (sum(seconds) < PROBE_SECONDS and len(seconds) < MOST):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return Spread.of(seconds)
