"""A strict layer with an unconstrained companion beside it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainables.relaxation.action import flatten
from trainables.relaxation.companions import Companion
from trainables.relaxation.representation import Representation

Representations = tuple[Representation, ...]


class Call(NamedTuple):
    """What one forward pass through a companion leaves for the penalties.

    inputs: (rows, dim_in), detached; outputs: (rows, dim_out), as a function of the companion's parameters
    """

    inputs: Tensor
    outputs: Tensor


class RelaxedLayer(nn.Module):
    """y = strict(x) + scale * companion(x), on the inputs and outputs that the representations name.

    inputs, outputs: how the leading positional inputs, and the outputs, transform; further inputs (such as
        edge attributes) go to the strict layer alone
    scale: a tensor () that is theta, or a trained parameter
    active: with False the companion is not run at all, and the layer is the strict one bit for bit
    recording: whether `calls` keeps what the penalties need of each forward pass in training mode

    Attributes that the wrapper does not have are read from the strict layer.
    """

    def __init__(
        self,
        name: str,
        strict: nn.Module,
        companion: Companion,
        scale: Tensor,
        inputs: Representations,
        outputs: Representations,
    ) -> None:
        super().__init__()
        self.name = name
        self.strict = strict
        self.companion = companion
        self.inputs, self.outputs = inputs, outputs
        self.active = True
        self.recording = False
        self.calls: list[Call] = []
        if isinstance(scale, nn.Parameter):
            self.scale = scale
        else:
            self.register_buffer("scale", scale, persistent=False)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("strict"), name)

    def set_strength(self, theta: float, recording: bool = False) -> None:
        """Begin a step: theta (0 switches the companion off), and whether penalties will be asked for."""
        self.scale.fill_(theta)
        self.active = theta != 0
        self.recording = recording
        self.calls.clear()

    def forward(self, *arguments: Any, **keywords: Any) -> Tensor | tuple[Tensor, ...]:
        """As the strict layer's. ValueError where an input does not have the declared trailing axes."""
        strict = self.strict(*arguments, **keywords)
        if not self.active:
            return strict
        tensors = arguments[: len(self.inputs)]
        self._check(tensors)
        added = self._run_companion(flatten(self.inputs, tensors)) * self.scale
        if isinstance(strict, Tensor):
            return strict + added.view_as(strict)
        parts = added.split([representation.dim for representation in self.outputs], dim=-1)
        sums = (output + part.view_as(output) for output, part in zip(strict, parts, strict=True))
        return strict._make(sums) if hasattr(strict, "_make") else tuple(sums)

    def _run_companion(self, x: Tensor) -> Tensor:
        if not (self.recording and self.training and torch.is_grad_enabled()):
            return self.companion(x)
        y, detached = self.companion.with_detached(x)
        dtype = self.scale.dtype  # penalties are small, and not left to the rounding of autocast
        self.calls.append(Call(x.detach().to(dtype), detached.to(dtype)))
        return y

    def _check(self, tensors: tuple[Any, ...]) -> None:
        for index, representation in enumerate(self.inputs):
            shape = tuple(tensors[index].shape) if index < len(tensors) else ()
            if shape[-len(representation.shape) :] != representation.shape:
                raise ValueError(
                    f"layer '{self.name}': positional input {index} must have trailing axes "
                    f"{representation.shape} as declared, but has shape {shape}"
                )


def relaxed_layers(model: nn.Module) -> dict[str, RelaxedLayer]:
    """The relaxed layers of a model by the names of the strict ones, each once."""
    return {layer.name: layer for layer in model.modules() if isinstance(layer, RelaxedLayer)}
