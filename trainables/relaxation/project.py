"""From a relaxed model back to the strict one."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch

import torch
from e3nn import o3
from torch import Tensor, nn

from trainables.relaxation.action import commutant
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.relax import replace_modules
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers


@torch.no_grad()
def project(model: nn.Module, *, fold: bool = False) -> nn.Module:
    """The strict model, in place (except for the root): the strict layers are back where they were before `relax`.

    Args:
        fold: Add the equivariant part of scale * W to strict layers that can take it (see `fold_into`), and drop only
            the rest. This makes a difference only if scale is not 0 at this point.
    """
    relaxed = relaxed_layers(model).values()
    for layer in relaxed:
        if fold and isinstance(layer.companion, LinearCompanion):
            fold_into(layer.strict, layer, layer.scale * layer.companion.weight)
    return replace_modules(model, {id(layer): layer.strict for layer in relaxed})


@contextmanager
def projected(model: nn.Module, *, fold: bool = False) -> Iterator[nn.Module]:
    """Within the block, the strict model that `project` would return now; afterwards the relaxed one is as it was.

    Only the strict layers that `fold` changes are copied.
    """
    relaxed = relaxed_layers(model).values()
    folded = [layer for layer in relaxed if fold and can_fold(layer)]
    before = [copy_of_state(layer.strict) for layer in folded]
    strict = project(model, fold=fold)
    try:
        yield strict
    finally:
        replace_modules(strict, {id(layer.strict): layer for layer in relaxed})
        for layer, state in zip(folded, before, strict=True):
            layer.strict.load_state_dict(state)


def copy_of_state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the module's parameters and buffers by name."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


@singledispatch
def fold_into(strict: nn.Module, layer: RelaxedLayer, weight: Tensor) -> None:
    """Add the equivariant part of a dense map (dim_out, dim_in) to a strict layer, in place.

    That part is a map of the channels of each degree. A layer with one block of channels per degree receives it
    through a method `add_channel_map(degree, matrix)`, matrix (channels_out, channels_in). For other classes register
    a function with `fold_into.register`. A layer with neither, such as a gated update, has no linear part to add
    to, and is left unchanged.
    """
    add_channel_map = getattr(strict, "add_channel_map", None)
    if add_channel_map is not None:
        for block, _, matrix in commutant(layer.inputs, layer.outputs, weight):
            add_channel_map(block.irrep.l, matrix)


@fold_into.register
def _(strict: o3.Linear, layer: RelaxedLayer, weight: Tensor) -> None:
    if not strict.internal_weights:
        return
    starts_in = [part.start for part in strict.irreps_in.slices()]
    starts_out = [part.start for part in strict.irreps_out.slices()]
    parts = {
        (origin.start, into.start): matrix
        for origin, into, matrix in commutant(layer.inputs, layer.outputs, weight)
    }
    for _, instruction, view in strict.weight_views(yield_instruction=True):
        matrix = parts[starts_in[instruction.i_in], starts_out[instruction.i_out]]
        view += matrix.T / instruction.path_weight


def can_fold(layer: RelaxedLayer) -> bool:
    """Whether folding the companion into the strict layer differs from dropping it, see `fold_into`."""
    strict = layer.strict
    registered = fold_into.dispatch(type(strict)) is not fold_into.dispatch(object)
    # Layers of e3nn may get their weights with each call, and then have none to add to.
    has_weights = registered and getattr(strict, "internal_weights", True)
    takes_maps = has_weights or hasattr(strict, "add_channel_map")
    return isinstance(layer.companion, LinearCompanion) and takes_maps


def reset_statistics(model: nn.Module) -> None:
    """Reset running statistics (of any kind of batch-norm).

    Called when a strict phase begins, so that the delivered model's statistics come from that phase only. Those of
    PyTorch's batch-norms are then plain averages over the whole phase, however short it is. Other implementations,
    such as `e3nn.nn.BatchNorm`, do not support plain averages: their buffers named `running_...` are reset to the
    values of an unused one (means 0, all others 1), and they continue with their own momentum.
    """
    for module in model.modules():
        reset = getattr(module, "reset_running_stats", None)
        if callable(reset):
            reset()
            module.momentum = None  # type: ignore[assignment]  # modules that can be reset have one
        else:
            for name, buffer in module.named_buffers(recurse=False):
                if name.startswith("running_"):
                    buffer.fill_(0 if "mean" in name else 1)
                elif name == "num_batches_tracked":
                    buffer.zero_()
