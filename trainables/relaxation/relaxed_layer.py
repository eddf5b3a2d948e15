"""A strict layer with an unconstrained companion beside it."""

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from trainables.relaxation.action import flatten
from trainables.relaxation.companions import Companion, LinearCompanion
from trainables.relaxation.representation import Representation

Representations = tuple[Representation, ...]


@dataclass
class Call:
    """The record of one forward pass through a companion for the penalties: its inputs (rows, dim_in), detached."""

    inputs: Tensor
    companion: Companion

    @cached_property
    def outputs(self) -> Tensor:
        """(rows, dim_out), a function of the companion's parameters alone."""
        return self.companion(self.inputs)


class RelaxedLayer(nn.Module):
    """y = strict(x) + scale * companion(x), on the inputs and outputs that the representations describe.

    A strict layer that only mixes the channels of vectors, and has a method `channel_map` that returns the matrix,
    runs together with a linear companion as one product. Attributes that the wrapper does not have are read from the
    strict layer.

    Args:
        inputs, outputs: How the leading inputs, given by position or by keyword, and the outputs transform; further
            inputs (such as edge attributes) go to the strict layer alone. If these broadcast against the leading
            ones, the companion's output is broadcast the same way.
        scale: A tensor () that is theta, or a trained parameter.

    Attributes:
        active: If False, the companion does not run at all, and the layer equals the strict one bit for bit.
        recording: Whether `calls` keeps what the penalties need from each forward pass in training mode.
        called: Whether any forward pass has reached this layer, with its companion or without.
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
        # Plain tuples for the forward pass: torch.compile cannot trace through e3nn's Irreps.
        self._axes_in = tuple(representation.shape for representation in inputs)
        self._axes_out = tuple(representation.shape for representation in outputs)
        self._dims_in = [representation.dim for representation in inputs]
        self._dims_out = [representation.dim for representation in outputs]
        self.active = True
        self.recording = False
        self.calls: list[Call] = []
        self.called = False
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
        """Begin a step: set theta (0 switches the companion off), and whether penalties will be computed."""
        self.scale.fill_(theta)
        self.active = theta != 0
        self.recording = recording
        self.calls.clear()

    def forward(self, *arguments: Any, **keywords: Any) -> Tensor | tuple[Tensor, ...]:
        """Same arguments and outputs as the strict layer's.

        Raises:
            ValueError: If an input does not have the declared trailing axes.
        """
        self.called = True
        if not self.active:
            return self.strict(*arguments, **keywords)
        tensors = self._leading(arguments, keywords)
        self._check(tensors)
        x, leading_axes = self._rows(tensors)
        if self.recording and self.training and torch.is_grad_enabled():
            # Penalties are small: autocast would round them away.
            self.calls.append(Call(x.detach().to(self.scale.dtype), self.companion))
        channel_map = getattr(self.strict, "channel_map", None)
        if isinstance(self.companion, LinearCompanion) and channel_map is not None:
            joined = JoinedMap.apply(self.companion.weight, self.scale, channel_map())
            return nn.functional.linear(x, joined).view(*tensors[0].shape[:-2], *self._axes_out[0])
        strict = self.strict(*arguments, **keywords)
        added = self.companion(x) * self.scale
        if isinstance(strict, Tensor):
            return strict + _fitted(added, strict, leading_axes, self._axes_out[0])
        parts = added.split(self._dims_out, dim=-1)
        sums = (
            output + _fitted(part, output, leading_axes, axes)
            for output, part, axes in zip(strict, parts, self._axes_out, strict=True)
        )
        return strict._make(sums) if hasattr(strict, "_make") else tuple(sums)

    def _leading(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
        """The inputs that the representations name, by position or by keyword."""
        if len(arguments) >= len(self.inputs) or not keywords:
            return arguments[: len(self.inputs)]
        names = list(inspect.signature(self.strict.forward).parameters)[len(arguments) : len(self.inputs)]
        return (*arguments, *(keywords[name] for name in names if name in keywords))

    def _rows(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, torch.Size]:
        """The inputs side by side, (rows, dim_in), and the leading axes that the rows stand for."""
        leading = [
            tensor.shape[: tensor.ndim - len(axes)]
            for axes, tensor in zip(self._axes_in, tensors, strict=True)
        ]
        common = leading[0]
        if any(axes != common for axes in leading):
            common = torch.broadcast_shapes(*leading)
            tensors = tuple(
                tensor.expand(*common, *axes) for axes, tensor in zip(self._axes_in, tensors, strict=True)
            )
        return flatten(self._dims_in, tensors), common

    def _check(self, tensors: tuple[Any, ...]) -> None:
        for index, axes in enumerate(self._axes_in):
            if index >= len(tensors):
                raise ValueError(f"layer '{self.name}': input {index} of {len(self.inputs)} is missing")
            shape = tuple(tensors[index].shape)
            if shape[-len(axes) :] != axes:
                raise ValueError(
                    f"layer '{self.name}': positional input {index} must have trailing axes "
                    f"{axes} as declared, but has shape {shape}"
                )


def _fitted(added: Tensor, output: Tensor, leading_axes: torch.Size, axes: tuple[int, ...]) -> Tensor:
    """Rows (rows, dim) in the shape of an output, which has more rows if the strict layer broadcasts its inputs."""
    if added.numel() == output.numel():
        return added.view_as(output)
    return added.reshape(*leading_axes, *axes).expand_as(output)


class JoinedMap(Function):
    """scale * W + 1 (x) M: a dense map of vectors, channels last, and a map of their channels, in one matrix.

    W (3 channels_out, 3 channels_in), M (channels_out, channels_in). Implemented by hand, since both are as large as
    the features of a small batch: each is read once and written once.
    """

    @staticmethod
    def forward(ctx: Any, dense: Tensor, scale: Tensor, channel_map: Tensor) -> Tensor:
        ctx.save_for_backward(dense, scale)
        joined = dense * scale
        by_component(joined).add_(channel_map.unsqueeze(-1))
        return joined

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        dense, scale = ctx.saved_tensors
        grad_scale = torch.tensordot(gradient, dense) if ctx.needs_input_grad[1] else None
        return gradient * scale, grad_scale, by_component(gradient).sum(-1)


def by_component(matrix: Tensor) -> Tensor:
    """(3 channels_out, 3 channels_in) -> its blocks on the diagonal, (channels_out, channels_in, 3), as a view."""
    rows, columns = matrix.shape
    return matrix.view(3, rows // 3, 3, columns // 3).diagonal(0, 0, 2)


def relaxed_layers(model: nn.Module) -> dict[str, RelaxedLayer]:
    """The relaxed layers of a model, keyed by the names of the strict ones, each once."""
    return {layer.name: layer for layer in model.modules() if isinstance(layer, RelaxedLayer)}
