"""The opposite of the control: no constraint, and data augmentation instead."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from trainables.methods.method import Inversion, Method, Rotate
from trainables.relaxation.relax import CompanionName, relax
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.spec import later


class Unconstrained(Method):
    """The same trunk with its companions at theta = 1 throughout, trained on rotated batches, never projected.

    Args:
        rotate: Each graph by a separate rotation, all graphs of a batch by the same one, or none.
        inversion: Also invert with probability 1/2; for tasks whose targets respect it.
        layers, companion, init: As in trainables.relaxation.relax.
    """

    delivers_strict = False
    revision = 2

    def __init__(
        self,
        *,
        rotate: Annotated[Rotate, later()] = "graph",
        inversion: Inversion = False,
        layers: Literal["default", "all"] | list[str] = "default",
        companion: CompanionName = "default",
        init: Annotated[float, Field(ge=0)] | None = None,
    ) -> None:
        self.rotate, self.inversion = rotate, inversion
        self.layers, self.companion, self.init = layers, companion, init

    def relax(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """The model with companions at theta = 1."""
        return relax(
            model, generator, layers=self.layers, companion=self.companion, init=self.init, show=None
        )

    def companion_parameters(self, model: nn.Module) -> list[nn.Parameter]:
        """The parameters of all companions."""
        return [
            parameter
            for layer in relaxed_layers(model).values()
            for parameter in layer.companion.parameters()
        ]

    def projection_step(self, steps: int) -> int:
        """After the last step: there is no projection."""
        return steps

    def theta_now(self, model: nn.Module) -> float:
        """theta = 1"""
        return 1.0

    def measures(self, model: nn.Module) -> dict[str, float]:
        """theta = 1"""
        return {"theta": 1.0 if relaxed_layers(model) else 0.0}
