"""Layers that couple the samples of a batch, for processes that each have only a part of the batch.

Batch-norm takes its statistics from all parts, and dropout draws for the whole batch and keeps the draws of
its own samples, so that both behave as in a single process. (torch's SyncBatchNorm needs GPUs.) Other random
numbers that a model draws in its forward pass are the same in each process, and differ from those of a single
process.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.errors import BadInput

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def couple(model: nn.Module, part: slice, batch_size: int, total: Callable[[Tensor], Tensor]) -> nn.Module:
    """Replace the forward pass of the layers that couple samples, in place; returns the model.

    Args:
        part: This process's samples among the `batch_size`; the first axis of a layer's features must run
            over samples, or over equally many rows for each sample.
        total: The sum over processes, differentiable.

    Raises:
        BadInput: If a layer of another kind keeps statistics of its batches.
    """
    share = (part.stop - part.start) / batch_size
    for name, layer in model.named_modules():
        if isinstance(layer, _BatchNorm):
            _replace_forward(layer, partial(batch_norm, layer, share, total))
        elif isinstance(layer, DROPOUTS):
            _replace_forward(layer, partial(dropout, layer, part, batch_size))
        elif getattr(layer, "running_mean", None) is not None:
            raise BadInput(
                f"resources.processes: the statistics of layer '{name}' ({type(layer).__name__}) cannot be shared "
                "among processes; use torch's batch-norm in the model, or set processes to 1"
            )
    return model


def _replace_forward(layer: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
    """Override the forward pass of this one layer; its class, parameters and buffers stay the same."""
    setattr(layer, "forward", forward)  # noqa: B010  an assignment to a method, which a type checker refuses


def batch_norm(layer: _BatchNorm, share: float, total: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply the layer to part x (rows, channels, ...) of a batch, in training with whole-batch statistics."""
    if not layer.training:
        return type(layer).forward(layer, x)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    mean = total(share * values.mean(axes, keepdim=True))
    deviations = values - mean
    variance = total(share * deviations.square().mean(axes, keepdim=True))
    if layer.track_running_stats:
        count = values.numel() / values.shape[1] / share
        _remember(layer, mean.flatten(), variance.flatten() * count / (count - 1))
    normal = deviations * (variance + layer.eps).rsqrt()
    if layer.affine:
        normal = torch.addcmul(layer.bias.view_as(mean), normal, layer.weight.view_as(mean))
    return normal.to(x.dtype)


@torch.no_grad()
def _remember(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    buffers = dict(layer.named_buffers(recurse=False))
    num_batches = buffers["num_batches_tracked"].add_(1)
    weight = 1 / num_batches.double() if layer.momentum is None else layer.momentum
    for name, value in (("running_mean", mean), ("running_var", variance)):
        buffers[name] += weight * (value - buffers[name])


def dropout(layer: nn.Module, part: slice, batch_size: int, x: Tensor) -> Tensor:
    """Apply the layer to part x (rows, ...) of a batch, with that part of the whole batch's factors."""
    if not layer.training:
        return type(layer).forward(layer, x)
    rows = len(x) // (part.stop - part.start)
    factors = type(layer).forward(layer, x.new_ones(rows * batch_size, *x.shape[1:]))
    return x * factors[rows * part.start : rows * part.stop]
