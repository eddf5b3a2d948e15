"""Optimisers by name, and the course of the learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from trainables.spec import Training


def build(training: Training, parameters: Iterable[nn.Parameter]) -> list[torch.optim.Optimizer]:
    """The optimisers of `training` for those of the parameters that are trained; none for no parameters.

    Muon (torch.optim.Muon) takes matrices only and leaves the rest to AdamW. Its updates are scaled to the
    root mean square of AdamW's, so that one learning rate means the same to both. The others run as one fused
    kernel over all parameters, which is also the fastest on a CPU and never waits for the device.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    common = {"lr": training.lr, "weight_decay": training.weight_decay}
    if not trained:
        return []
    match training.optimizer:
        case "adam":
            return [torch.optim.Adam(trained, **common, fused=True)]
        case "adamw":
            return [torch.optim.AdamW(trained, **common, fused=True)]
        case "sgd":
            return [torch.optim.SGD(trained, **common, momentum=training.momentum, fused=True)]
        case "muon":
            return _muon(trained, training.momentum, common)


def _muon(
    parameters: list[nn.Parameter], momentum: float, common: dict[str, float]
) -> list[torch.optim.Optimizer]:
    matrices = [parameter for parameter in parameters if parameter.ndim == 2]
    others = [parameter for parameter in parameters if parameter.ndim != 2]
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        optimizers.append(
            torch.optim.Muon(matrices, **common, momentum=momentum, adjust_lr_fn="match_rms_adamw")
        )
    if others:
        optimizers.append(torch.optim.AdamW(others, **common, fused=True))
    return optimizers


def learning_rate_factor(training: Training, step: int, steps: int) -> float:
    """What the peak learning rate is multiplied by in step `step` (from 0) of `steps`.

    A linear warm-up over the first `warmup` of the steps, then constant; or a half cosine down to 0; or
    "step": a factor 0.7 at the end of each tenth of what follows the warm-up.
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
