"""From a strict model to a relaxed one."""

import warnings
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Literal

import torch
from torch import nn

from trainables.errors import BadInput
from trainables.relaxation.companions import Companion, FeedForwardCompanion, LinearCompanion, MLPCompanion
from trainables.relaxation.recognition import check_declaration, relaxable_layers
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers
from trainables.relaxation.summary import growth_warning, summary

COMPANIONS: dict[str, tuple[type[Companion], float]] = {
    "linear": (LinearCompanion, 0.0001),
    "feed_forward": (FeedForwardCompanion, 0.01),
    "mlp": (MLPCompanion, 1.0),
}
"""Each kind with its default scale at initialization, from relaxed SEGNN, relaxed Equiformer and ACE's code."""

CompanionName = Literal["default", "linear", "feed_forward", "mlp"]


def relax(
    model: nn.Module,
    generator: torch.Generator | None = None,
    *,
    layers: Literal["default", "all"] | Sequence[str] = "default",
    companion: CompanionName = "default",
    init: float | None = None,
    trained_scale: bool = False,
    show: Callable[[str], None] | None = print,
) -> nn.Module:
    """Put a companion beside layers of a strict model, in place; returns the model.

    Args:
        generator: The only source of random numbers, None for PyTorch's own; the strict parameters are not touched.
        layers: "default" means the model's `relax_default`, or all if it has none; patterns (fnmatch) are matched
            against the names of the relaxable layers. Of nested layers only the outermost is relaxed.
        companion: "default" means the model's `relax_companion`, or "linear".
        init: Scale of the companion at the start (see companions.py); None for the default of its kind.
        trained_scale: Give each layer a trained parameter gamma, 1 at the start, instead of theta.
        show: Receives the summary, which lists the relaxed layers with the parameters that they add; a warning
            follows if the model more than triples in size. None for neither.

    Raises:
        BadInput: If there is no relaxable layer, if a pattern matches none, if a declared representation does not fit
            its axes, if all layers are requested and one is scripted, or if the model is already relaxed.
    """
    if relaxed_layers(model):
        raise BadInput("relax: the model is already relaxed; project it first")
    chosen = choose_layers(model, layers)
    kind, default_init = COMPANIONS[
        getattr(model, "relax_companion", "linear") if companion == "default" else companion
    ]
    reference = next(chain(model.parameters(), model.buffers()), torch.empty(()))
    wrappers: dict[int, nn.Module] = {}
    for name, layer in chosen.items():
        inputs, outputs = check_declaration(name, layer)
        dim_in, dim_out = (sum(part.dim for part in parts) for parts in (inputs, outputs))
        beside = kind(dim_in, dim_out, default_init if init is None else init, generator)
        beside = beside.to(device=reference.device, dtype=reference.dtype)
        scale = torch.ones((), device=reference.device, dtype=reference.dtype)
        scale = nn.Parameter(scale) if trained_scale else scale
        wrappers[id(layer)] = RelaxedLayer(name, layer, beside, scale, inputs, outputs)
    model = replace_modules(model, wrappers)
    if show is not None:
        show(summary(model))
        if (grown := growth_warning(model)) is not None:
            warnings.warn(grown, stacklevel=2)
    return model


def choose_layers(
    model: nn.Module, layers: Literal["default", "all"] | Sequence[str]
) -> dict[str, nn.Module]:
    """The layers to relax by name: the outermost of those chosen, each once.

    Raises:
        BadInput: As `relax` does.
    """
    relaxable = relaxable_layers(model)
    if layers == "default":
        layers = getattr(model, "relax_default", "all")
    if layers == "all":
        _refuse_scripted(model, relaxable)
    if not relaxable:
        raise BadInput(
            f"layers: {type(model).__name__} has no relaxable layer; declare representation_in and "
            "representation_out on its layers, or use e3nn's"
        )
    patterns = ("*",) if layers == "all" else tuple(layers)
    chosen: dict[str, nn.Module] = {}
    for pattern in patterns:
        fitting = {name: layer for name, layer in relaxable.items() if fnmatchcase(name, pattern)}
        if not fitting:
            raise BadInput(
                f"layers: '{pattern}' matches none of the relaxable layers: {', '.join(relaxable) or '(the model)'}"
            )
        chosen |= fitting
    inner = {id(part) for layer in chosen.values() for part in layer.modules() if part is not layer}
    by_identity = {id(layer): name for name, layer in reversed(chosen.items()) if id(layer) not in inner}
    return {name: chosen[name] for name in chosen if by_identity.get(id(chosen[name])) == name}


def _refuse_scripted(model: nn.Module, relaxable: dict[str, nn.Module]) -> None:
    """Raise BadInput for a TorchScript module with parameters: relaxation cannot reach its layers."""
    inside = {id(part) for layer in relaxable.values() for part in layer.modules()}
    for name, module in model.named_modules():
        scripted = isinstance(module, torch.jit.ScriptModule) and id(module) not in inside
        if scripted and next(module.parameters(recurse=False), None) is not None:
            raise BadInput(
                f"layers: '{name}' is a TorchScript module with parameters, which would stay strict; script it after "
                "training, or list the layers to relax"
            )


def replace_modules(model: nn.Module, replacements: dict[int, nn.Module]) -> nn.Module:
    """The model with each module whose id is a key replaced wherever it occurs; in place except for the root."""
    if id(model) in replacements:
        return replacements[id(model)]
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if id(child) in replacements:
                setattr(module, name, replacements[id(child)])
    return model
