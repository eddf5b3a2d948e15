"""Evaluation of a model on a split."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.tasks.task import Split, Task, select, size

Errors = dict[str, Tensor]
"""The task's errors on each sample, (samples,), by name."""


def pass_over(errors: Errors) -> None:
    """Keep nothing."""


@torch.no_grad()
def evaluate(
    model: nn.Module, task: Task, split: Split, keep: Callable[[Errors], None] = pass_over
) -> dict[str, float]:
    """The mean loss and the means of the task's errors over all samples, by name, in evaluation mode.

    Sums stay on the device; the host waits once, at the end.

    Args:
        keep: Called with the errors of each batch, which stay on the device.
    """
    totals: dict[str, Tensor] = {}
    with evaluating(model):
        for start in range(0, size(split), task.evaluation_batch):
            batch = select(split, slice(start, start + task.evaluation_batch))
            prediction = task.predict(model, task.graph(batch))
            errors = task.errors(prediction, batch)
            keep(errors)
            sums = {name: values.sum() for name, values in errors.items()}
            sums["loss"] = task.loss(prediction, batch) * size(batch)
            for name, value in sums.items():
                totals[name] = totals[name] + value.double() if name in totals else value.double()
    means = (torch.stack(list(totals.values())) / size(split)).tolist()
    return dict(zip(totals, means, strict=True))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model in evaluation mode while the block runs, then restore its mode."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
