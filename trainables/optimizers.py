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
    matrices = [parameter for parameter in trained if parameter.ndim == 2]
    others = [parameter for parameter in trained if parameter.ndim != 2]
    common = {"lr": training.lr, "weight_decay": training.weight_decay}
    optimizers: list[torch.optim.Optimizer] = []
    if training.optimizer != "muon":
        others = trained
    elif matrices:
        optimizers.append(
            torch.optim.Muon(matrices, **common, momentum=training.momentum, adjust_lr_fn="match_rms_adamw")
        )
    if not others:
        return optimizers
    match training.optimizer:
        case "adam":
            rest = torch.optim.Adam(others, **common, fused=True)
        case "adamw" | "muon":
            rest = torch.optim.AdamW(others, **common, fused=True)
        case "sgd":
            rest = torch.optim.SGD(others, **common, momentum=training.momentum, fused=True)
    return [*optimizers, rest]


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
