"""What a trial costs, from a few steps taken here and now on a small part of the data."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from trainables import registry
from trainables.spec import TrialSpec
from trainables.tasks.task import size
from trainables.training.evaluation import evaluate
from trainables.training.loop import batches, start, train_step
from trainables.training.streams import stream

PROBE_SECONDS = 0.5
VALIDATION_SAMPLES = 16


@dataclass(frozen=True)
class Cost:
    """Seconds of one training step and of a whole trial, on one core of this machine."""

    step: float
    trial: float


def cost(spec: TrialSpec, data_folder: str) -> Cost:
    """The cost of the trial, while the method still has its hands on the model: rather too much than too little.

    BadInput as the task, where its files are missing.
    """
    torch.set_num_threads(1)
    sizes = {name: spec.task[name] for name in ("train", "val", "test") if name in spec.task}
    few = {"train": spec.training.batch_size, "val": VALIDATION_SAMPLES, "test": VALIDATION_SAMPLES}
    small = {**spec.task, **{name: min(count, few[name]) for name, count in sizes.items()}}
    task = registry.build("task", small, Path(data_folder).expanduser())
    run = start(spec, task, torch.device("cpu"), None)
    (index,) = batches(run, 0)
    augmentation = stream(spec.seed, "augmentation")
    step = _seconds(lambda: train_step(run, index, augmentation))
    validation = _seconds(lambda: evaluate(run.model, task, task.splits["val"])) / size(task.splits["val"])
    steps = max(1, sizes.get("train", size(task.splits["train"])) // run.batch_size)
    epoch = steps * step + sizes.get("val", size(task.splits["val"])) * validation
    return Cost(step, spec.training.epochs * epoch)


def _seconds(work: Callable[[], object]) -> float:
    """The mean seconds of a call after the first, which also pays for what is done once."""
    work()
    started = time.perf_counter()
    calls = 0
    while calls == 0 or time.perf_counter() - started < PROBE_SECONDS:
        work()
        calls += 1
    return (time.perf_counter() - started) / calls
