"""The optimizers that a study may name. Loads torch only for those of others."""

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainables.errors import nearest

if TYPE_CHECKING:
    from torch.optim import Optimizer

OPTIMIZERS = ("adam", "adamw", "sgd", "muon", "adam_block")

REVISIONS = {"muon": 2}
"""Which edition of an optimizer this is, where it is not the first: a part of the specs of its trials.
muon: in the first, the parameters with two axes were its matrices, whatever they did, and embeddings and read-outs
among them."""


def check_optimizer(name: str) -> str:
    """The name, if it is known or a `package.module:Class` of PyTorch optimizers; else ValueError."""
    if name not in OPTIMIZERS:
        locate(name)
    return name


def check_options(name: str, options: dict[str, Any], weight_decay: float) -> None:
    """ValueError where a `package.module:Class` does not take what it would be given; others take no options."""
    if name in OPTIMIZERS:
        return
    parameters = inspect.signature(locate(name)).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for option in options:
        if option not in parameters:
            raise ValueError(
                f"optimizer_options.{option}: '{name}' has no such option; {nearest(option, [*parameters])}"
            )
    if weight_decay and "weight_decay" not in parameters:
        raise ValueError(f"weight_decay: '{name}' has none; set it to 0")


def locate(name: str) -> "type[Optimizer]":
    """The class behind `package.module:Class`; ValueError where it is none of PyTorch optimizers."""
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"unknown optimizer; {nearest(name, list(OPTIMIZERS))}, or package.module:Class")
    try:
        found = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"the optimizer cannot be imported: {error}") from error
    from torch.optim import Optimizer

    if not (isinstance(found, type) and issubclass(found, Optimizer)):
        raise ValueError("is no torch optimizer; name a class that derives from torch.optim.Optimizer")
    closure = inspect.signature(found.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError("its step needs a closure, which no trial has; name another optimizer")
    return found
