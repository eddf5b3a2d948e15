"""Optimizers by name, and the learning rate of each step."""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from trainables.spec import Training
from trainables.training.block_optimizers import BlockAdam, BlockMuon
from trainables.training.matrices import Matrix
from trainables.training.optimizer_names import locate


def build(
    training: Training, parameters: Iterable[nn.Parameter], hidden: Sequence[Matrix] = ()
) -> list[torch.optim.Optimizer]:
    """The optimizers of `training` for those of the parameters that are trained; empty if there are none.

    A parameter group may carry `lr_factor`, a factor to apply to its learning rate. Adam, AdamW and SGD run
    as one fused kernel over all parameters, which is also the fastest on a CPU and never waits for the
    device.

    Args:
        hidden: The matrices of hidden layers, from `trainables.training.matrices`. Muon trains these and
            leaves all other parameters to AdamW, with `adamw_factor` times the learning rate; adam_block
            normalizes their updates.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    common: dict[str, Any] = {"lr": training.lr, "weight_decay": training.weight_decay}
    if not trained:
        return []
    match training.optimizer:
        case "adam":
            return [torch.optim.Adam(trained, **common, fused=True)]
        case "adamw":
            return [torch.optim.AdamW(trained, **common, fused=True)]
        case "sgd":
            return [torch.optim.SGD(trained, **common, momentum=training.momentum, fused=True)]
        case "adam_block":
            return [BlockAdam(trained, _blocks_of(trained, hidden), **common)]
        case "muon":
            return _muon(training, trained, _blocks_of(trained, hidden), common)
        case name:
            return [_foreign(training, name, trained)]


def _blocks_of(parameters: list[nn.Parameter], hidden: Sequence[Matrix]) -> list[Matrix]:
    ids = {id(parameter) for parameter in parameters}
    return [matrix for matrix in hidden if id(matrix.parameter) in ids]


def _muon(
    training: Training, parameters: list[nn.Parameter], blocks: list[Matrix], common: dict[str, Any]
) -> list[torch.optim.Optimizer]:
    ids, factor = {id(block.parameter) for block in blocks}, training.adamw_factor
    with_blocks = [parameter for parameter in parameters if id(parameter) in ids]
    others = [parameter for parameter in parameters if id(parameter) not in ids]
    optimizers: list[torch.optim.Optimizer] = []
    if with_blocks:
        muon = BlockMuon(with_blocks, blocks, **common, momentum=training.momentum, factor=factor)
        optimizers.append(muon)
    if others:
        group = {"params": others, "lr": factor * training.lr, "lr_factor": factor}
        optimizers.append(torch.optim.AdamW([group], **common, fused=True))
    return optimizers


def _foreign(training: Training, name: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    factory: Callable[..., torch.optim.Optimizer] = locate(name)
    options = dict(training.optimizer_options)
    # A weight decay of 0 must be passed too, since the class may have another default.
    if training.weight_decay or "weight_decay" in inspect.signature(factory).parameters:
        options["weight_decay"] = training.weight_decay
    return factory(parameters, lr=training.lr, **options)


def learning_rate_factor(training: Training, step: int, steps: int) -> float:
    """The factor on the peak learning rate in step `step` (from 0) of `steps`.

    A linear warm-up over the share `warmup` of the steps, then constant; or a half cosine down to 0; or
    "step": a factor of 0.7 at the end of each tenth of the steps after the warm-up.
    """
    warmup_steps = round(training.warmup * steps)
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    match training.lr_schedule:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        case "step":
            return 0.7 ** math.floor(10 * progress)
