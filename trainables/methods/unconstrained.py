"""The other end of the scale: no constraint, and data augmentation in its stead."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.methods.method import Method
from trainables.relaxation.relax import CompanionName, relax
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.symmetry import random_rotations


class Unconstrained(Method):
    """The same trunk with its companions at theta = 1 for ever, trained on rotated batches, never projected.

    inversion: also invert each graph with probability 1/2; for tasks whose targets respect it
    layers, companion, init: as in trainables.relaxation.relax
    """

    delivers_strict = False
    revision = 2

    def __init__(
        self,
        *,
        inversion: bool = False,
        layers: Literal["default", "all"] | list[str] = "default",
        companion: CompanionName = "default",
        init: Annotated[float, Field(ge=0)] | None = None,
    ) -> None:
        self.inversion = inversion
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

    def augmentation(self, graphs: int, generator: torch.Generator) -> Tensor:
        """(graphs, 3, 3) random rotations, half of them with inversion where asked for."""
        matrices = random_rotations(graphs, generator)
        if self.inversion:
            signs = 1 - 2 * torch.randint(2, (graphs, 1, 1), generator=generator)
            matrices = signs * matrices
        return matrices

    def projection_step(self, steps: int) -> int:
        """After the last step, and then nothing is done."""
        return steps

    def measures(self, model: nn.Module) -> dict[str, float]:
        """theta = 1"""
        return {"theta": 1.0 if relaxed_layers(model) else 0.0}
