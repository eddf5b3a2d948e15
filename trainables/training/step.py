"""One training step, on one batch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trainables.symmetry import rotate_graph
from trainables.tasks.task import select, size
from trainables.training import optimizers
from trainables.training.run import Run
from trainables.training.streams import stream


def batches(run: Run, epoch: int) -> Iterator[Tensor]:
    """The indices of each batch of an epoch, in an order that the seed decides."""
    train = run.task.splits["train"]
    order = torch.randperm(size(train), generator=stream(run.spec.order_seed, "order", epoch)).to(run.device)
    for first in range(0, run.steps_per_epoch * run.batch_size, run.batch_size):
        yield order[first : first + run.batch_size]


def train_step(
    run: Run, index: Tensor, augmentation: torch.Generator
) -> tuple[Tensor, Tensor | float, Tensor | float]:
    """One step on the samples at `index`.

    Returns:
        Loss and penalty of this process's part of them, and theta, detached, on the device.
    """
    training, step, every_optimizer = run.spec.training, run.progress.step, run.trunk + run.companions
    lr = training.lr * optimizers.learning_rate_factor(training, step, run.steps)
    for group in (group for optimizer in every_optimizer for group in optimizer.param_groups):
        group["lr"] = lr * group.get("lr_factor", 1.0)
    theta: Tensor | float = 0.0
    if run.relaxed:
        run.method.begin_step(run.model, step, run.steps)
        theta = run.method.theta_now(run.model)
    # Every process draws the augmentation of the whole batch and takes its own part of it.
    batch = run.task.augment(select(run.task.splits["train"], index), augmentation)
    batch = select(batch, run.part)
    graph = run.task.graph(batch)
    matrices = run.method.augmentation(len(index), augmentation)
    if matrices is not None:
        matrices = matrices[run.part]
        graph, batch = rotate_graph(graph, matrices), run.task.rotate_targets(batch, matrices)
    with torch.autocast(run.device.type, torch.bfloat16, enabled=training.precision == "bfloat16"):
        loss = run.task.loss(run.task.predict(run.model, graph), batch)
        penalty = run.method.penalty(run.model) if run.relaxed else None
    watched = run.method.watched(run.model) if run.relaxed else None
    for optimizer in every_optimizer:
        optimizer.zero_grad()
    (run.share * (loss if penalty is None else loss + penalty)).backward()
    run.team.sum_gradients(run.model.parameters())
    if training.clip is not None:
        trunk_groups = [group for optimizer in run.trunk for group in optimizer.param_groups]
        clipped = [parameter for group in trunk_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(clipped, training.clip)
    for optimizer in every_optimizer:
        optimizer.step()
    if run.relaxed:
        run.method.end_step(run.model)
    if watched is not None:
        seen = run.team.sum(run.share * torch.cat([loss.detach().view(1), watched]).double()).tolist()
        run.method.observe(run.model, seen[0], seen[1:])
    return loss.detach(), 0.0 if penalty is None else penalty.detach(), theta
