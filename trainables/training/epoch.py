"""One epoch: its steps, the projection if it falls among them, and the row of the history."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from trainables.relaxation.summary import check_called
from trainables.training.run import Run
from trainables.training.step import batches, train_step
from trainables.training.streams import stream, stream_seed
from trainables.training.validation import validate, validated, validation_metric


def train_epoch(run: Run, epoch: int) -> dict[str, float]:
    """Train one epoch, validate, and return its history row. The host waits for the device once."""
    started = time.perf_counter()
    run.model.train()
    torch.manual_seed(stream_seed(run.spec.seed, "dropout", epoch))
    augmentation = stream(run.spec.seed, "augmentation", epoch, run.device)
    sums = torch.zeros(3, device=run.device, dtype=torch.float64)
    for index in batches(run, epoch):
        for total, value in zip(sums, train_step(run, index, augmentation), strict=True):
            total += value
        run.progress.step += 1
        if run.progress.step == 1:
            run.progress.relaxed_layers = check_called(run.model)
        if run.progress.step % run.steps_per_epoch == 0:  # a projection removes gradients
            gradient_norm = norm(parameter.grad for parameter in run.model.parameters())
        if run.progress.step == run.projection_step:
            project(run)
    means = run.team.sum(run.share * sums) / run.steps_per_epoch
    norms = torch.stack([gradient_norm, norm(run.model.parameters())])
    numbers = torch.cat([means, norms]).tolist()
    return run.team.first(lambda: history_row(run, epoch, numbers, started))


def history_row(run: Run, epoch: int, numbers: list[float], started: float) -> dict[str, float]:
    """The row of an epoch; it has the columns of validation only if the epoch validates.

    Args:
        numbers: Training loss, penalty and theta, each averaged over the epoch, the norm of the last
            gradient, and the norm of the parameters.
    """
    train_loss, penalty, theta_mean, gradient_norm, parameter_norm = numbers
    return {
        "epoch": epoch,
        "step": run.progress.step,
        "train_loss": train_loss,
        **(validate(run) if validated(run.spec, epoch) else {}),
        "grad_norm": gradient_norm,
        "parameter_norm": parameter_norm,
        "penalty": penalty,
        "theta_mean": theta_mean,
        "lr": run.trunk[0].param_groups[0]["lr"],
        **run.method.measures(run.model),
        "seconds": time.perf_counter() - started,
    }


def project(run: Run) -> None:
    """Replace the relaxed model with the projected one, and record the validation metric before and after."""
    if run.method.delivers_strict:
        run.progress.constraint_at_projection = run.method.measures(run.model)["theta"]
    run.progress.before_projection = run.team.first(lambda: validation_metric(run))
    run.model = run.method.project(run.model)
    run.progress.after_projection = run.team.first(lambda: validation_metric(run))
    run.companions = []
    run.model.train()


def norm(tensors: Iterator[Tensor | None]) -> Tensor:
    """The Euclidean norm of all entries of all tensors, on the device."""
    norms = torch._foreach_norm([tensor.detach() for tensor in tensors if tensor is not None])
    return torch.stack(norms).norm().double()
