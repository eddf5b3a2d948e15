"""The optimizers that a study may name. Loads torch only for those of other packages."""

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainables.errors import brief, nearest

if TYPE_CHECKING:
    from torch.optim import Optimizer

OPTIMIZERS = ("adam", "adamw", "sgd", "muon", "adam_block")

REVISIONS = {"muon": 2}
"""The editions of the optimizers that are past their first, a part of the specs of their trials.
muon: the first edition treated every parameter with two axes as a matrix, whatever its role, including those
of embeddings and read-outs."""

REVISION_OF_CLASSES = 2
"""The edition of every `package.module:Class`: the first did not pass on a weight decay of 0, so that the class's own
default applied."""

MOMENTUM = 0.9
"""The default momentum."""


def revision_of(name: str) -> int:
    """The edition of an optimizer, which the plan fills in."""
    return REVISION_OF_CLASSES if ":" in name else REVISIONS.get(name, 1)


def check_optimizer(name: str) -> str:
    """The name, if known or the `package.module:Class` of a PyTorch optimizer; else raises ValueError."""
    if name not in OPTIMIZERS:
        locate(name)
    return name


def check_options(
    name: str, options: dict[str, Any], weight_decay: float, momentum: float, adamw_factor: float
) -> None:
    """Raise ValueError if the optimizer does not accept a setting, or the setting would have no effect."""
    if adamw_factor != 1 and name != "muon":
        raise ValueError(f"adamw_factor: has no effect on '{name}'; remove it or set optimizer: muon")
    if momentum != MOMENTUM and name not in ("sgd", "muon"):
        instead = "optimizer_options.momentum instead" if ":" in name else "optimizer: sgd or muon"
        raise ValueError(f"momentum: has no effect on '{name}'; remove it or set {instead}")
    if name in OPTIMIZERS:
        if options:
            raise ValueError(
                f"optimizer_options: '{name}' takes none; remove them or name an optimizer as package.module:Class"
            )
        return
    parameters = inspect.signature(locate(name)).parameters
    for option in options:
        if option in ("lr", "weight_decay"):
            raise ValueError(f"optimizer_options.{option}: remove it and set training.{option} instead")
        if option == next(iter(parameters), None):
            raise ValueError(f"optimizer_options.{option}: is filled in by each trial; remove it")
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for option in options:
        if option not in parameters:
            raise ValueError(
                f"optimizer_options.{option}: '{name}' has no such option; {nearest(option, [*parameters])}"
            )
    if weight_decay and "weight_decay" not in parameters:
        raise ValueError(f"weight_decay: '{name}' has no weight decay; set it to 0")


def locate(name: str) -> "type[Optimizer]":
    """The class behind `package.module:Class`; raises ValueError if it is not a PyTorch optimizer."""
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"unknown optimizer; {nearest(name, list(OPTIMIZERS))}, or package.module:Class")
    try:
        found = getattr(import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # importing a user's module may raise anything
        raise ValueError(f"the optimizer cannot be imported: {brief(error)}") from error
    from torch.optim import Optimizer

    if not (isinstance(found, type) and issubclass(found, Optimizer)) or found is Optimizer:
        raise ValueError("is not a torch optimizer; name a class that derives from torch.optim.Optimizer")
    closure = inspect.signature(found.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError("its step needs a closure, which trials do not provide; name another optimizer")
    return found
