"""Features with a separate number of channels for each degree: linear map, norm, gate and depth-wise product.

Features are a tuple of tensors (nodes or edges, 2l+1, channels[l]) for l = 0, 1, ... Degree l has the parity
(-1)^l of the spherical harmonics; or, with `inversion` False, features have no parity, like e3nn's 0e, 1e,
2e, and the maps commute with rotations only.
"""

from collections.abc import Sequence

import torch
from e3nn import o3
from torch import Tensor, nn

from trainables.models.layers.depthwise import coupling_paths
from trainables.models.layers.steerable import SIGMOID_SCALE, SILU_SCALE
from trainables.relaxation.representation import Representation

Features = tuple[Tensor, ...]


def representations(channels: Sequence[int], inversion: bool) -> tuple[Representation, ...]:
    """The representations of features with these numbers of channels."""
    return tuple(
        Representation(
            o3.Irreps([(count, (degree, (-1) ** degree))]),
            "channels_last",
            (2 * degree + 1, count),
            "O3" if inversion else "SO3",
        )
        for degree, count in enumerate(channels)
    )


class ByDegreeLinear(nn.Module):
    """For each degree a matrix that mixes its channels, and a bias for the scalars; higher degrees may be dropped."""

    def __init__(
        self, inputs: Sequence[int], outputs: Sequence[int], inversion: bool, bias: bool = True
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            torch.randn(before, after) / before**0.5 for before, after in zip(inputs, outputs, strict=False)
        )
        self.bias = nn.Parameter(torch.zeros(outputs[0])) if bias else None
        self.representation_in = representations(inputs, inversion)
        self.representation_out = representations(outputs, inversion)

    def matrices(self) -> list[Tensor]:
        """One matrix for each degree, (inputs[l], outputs[l])."""
        return list(self.weights)

    def forward(self, *x: Tensor) -> Features:
        """(n, 2l+1, inputs[l]) -> (n, 2l+1, outputs[l])"""
        scalars, *others = (part @ weight for part, weight in zip(x, self.weights, strict=False))
        return (scalars if self.bias is None else scalars + self.bias, *others)


class ByDegreeNorm(nn.Module):
    """Layer norm: scalars are centered, and each degree is divided by its root mean square over the channels.

    Liao and Smidt 2023 (arXiv 2206.11990), section 4.2.
    """

    def __init__(self, channels: Sequence[int], epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weights = nn.ParameterList(torch.ones(count) for count in channels)
        self.bias = nn.Parameter(torch.zeros(channels[0]))

    def forward(self, x: Features) -> Features:
        """(n, 2l+1, channels[l]) -> the same"""
        centered = (x[0] - x[0].mean(-1, keepdim=True), *x[1:])
        scalars, *others = (
            part * (part.square().mean((1, 2), keepdim=True) + self.epsilon).rsqrt() * weight
            for part, weight in zip(centered, self.weights, strict=True)
        )
        return (scalars + self.bias, *others)


def gated(channels: Sequence[int]) -> list[int]:
    """The channels `gate` needs to return `channels`: an extra scalar for each one above degree 0."""
    return [sum(channels), *channels[1:]]


def gate(x: Features) -> Features:
    """SiLU of the scalars; other degrees times the sigmoid of extra scalars; both scaled as in e3nn."""
    counts = [part.shape[-1] for part in x[1:]]
    scalars, *gates = x[0].split([x[0].shape[-1] - sum(counts), *counts], dim=-1)
    kept = (part * (SIGMOID_SCALE * factor.sigmoid()) for part, factor in zip(x[1:], gates, strict=True))
    return (SILU_SCALE * nn.functional.silu(scalars), *kept)


class DepthwiseLinear(nn.Module):
    """The product of each channel with the harmonics of its edge, weighted path by path, and a linear map.

    Args:
        inputs, outputs: Channels of each degree, for the inputs from 0 to the largest of the harmonics.
        radial: Network from the invariants of an edge to a weight for each path and channel, sum of `widths`
            in all; None for weights that all edges share.
    """

    def __init__(
        self, inputs: Sequence[int], outputs: Sequence[int], inversion: bool, radial: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.inputs = tuple(inputs)
        self.paths = coupling_paths(len(inputs) - 1, inversion)
        self.widths = widths(inputs, inversion)
        self.radial = radial
        if radial is None:
            self.shared = nn.Parameter(torch.randn(sum(self.widths)))
        self.mix = ByDegreeLinear(self.widths, outputs, inversion)

    def matrices(self) -> list[Tensor]:
        """The matrices of the linear map, one for each path, (inputs[l'], outputs[l])."""
        by_degree = zip(self.mix.weights, self.paths, strict=False)
        return [
            matrix
            for weight, paths in by_degree
            for matrix in weight.split([self.inputs[degree_in] for degree_in, _ in paths])
        ]

    def forward(self, x: Features, couplings: list[list[Tensor]], edges: Tensor) -> Features:
        """x (edges, 2l+1, inputs[l]), couplings of `by_path`, edges (edges, E) -> (edges, 2l+1, outputs[l])"""
        weights = self.shared if self.radial is None else self.radial(edges).unsqueeze(1)
        products = (
            torch.cat(
                [matrix @ x[degree_in] for matrix, (degree_in, _) in zip(of_out, paths, strict=True)], -1
            )
            for of_out, paths in zip(couplings, self.paths, strict=True)
        )
        by_degree = weights.split(self.widths, dim=-1)
        return self.mix(*(product * weight for product, weight in zip(products, by_degree, strict=True)))


def widths(channels: Sequence[int], inversion: bool) -> list[int]:
    """The number of products of each degree between features with these channels and harmonics."""
    paths = coupling_paths(len(channels) - 1, inversion)
    return [sum(channels[degree_in] for degree_in, _ in of_out) for of_out in paths]


def by_path(couplings: Tensor, largest: int, inversion: bool) -> list[list[Tensor]]:
    """The matrices that map one degree to another along each path, in the order of `coupling_paths`.

    Args:
        couplings: (edges, components, products) of `Couplings`.

    Returns:
        For each output degree a list of (edges, 2l+1, 2l'+1).
    """
    paths = coupling_paths(largest, inversion)
    blocks = couplings.split([(2 * out + 1) * len(of_out) for out, of_out in enumerate(paths)], dim=-1)
    matrices = []
    for out, (of_out, block) in enumerate(zip(paths, blocks, strict=True)):
        by_number = block.unflatten(-1, (2 * out + 1, len(of_out))).unbind(-1)
        matrices.append(
            [
                matrix[:, degree_in**2 : (degree_in + 1) ** 2].transpose(1, 2).contiguous()
                for matrix, (degree_in, _) in zip(by_number, of_out, strict=True)
            ]
        )
    return matrices
