"""A miniature trial: few samples, at the step where the method has the most to do."""

from copy import copy

import torch

from trainables.spec import TrialSpec
from trainables.tasks.task import Task, select
from trainables.training.run import Run, start

EPOCHS = 100  # of one step each: enough for every schedule to reach its peak, whatever the study's own length
PROBES = 32


def few_samples(task: Task, samples: int) -> Task:
    """The task with the first samples of each split."""
    small = copy(task)
    small.splits = {name: select(split, slice(0, samples)) for name, split in task.splits.items()}
    return small


def rehearse(spec: TrialSpec, task: Task, device: torch.device) -> Run:
    """A run of the spec on a small task, before the step at which theta is largest."""
    changes = {"epochs": EPOCHS, "compile": False}
    spec = spec.model_copy(update={"training": spec.training.model_copy(update=changes)})
    run = start(spec, task, device, None)
    run.progress.step = _peak(run)
    return run


def _peak(run: Run) -> int:
    """The first step with the largest theta, among steps spread over those before the projection."""
    steps = sorted({run.projection_step * probe // PROBES for probe in range(PROBES)})
    thetas = []
    for step in steps:
        run.method.begin_step(run.model, step, run.steps)
        thetas.append(float(run.method.theta_now(run.model)))
    return steps[thetas.index(max(thetas))]
