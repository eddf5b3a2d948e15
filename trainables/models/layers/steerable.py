"""Features of scalars and vectors, and their fully connected tensor products with spherical harmonics.

Features are a pair: scalars (..., C0), which are even under inversion, and vectors (..., 3, C1), which are odd;
harmonics are those of degree 0 and 1. The products are those of e3nn's FullyConnectedTensorProduct from
C0 x 0e + C1 x 1o and 1x0e + 1x1o to O0 x 0e + O1 x 1o, with components of unit scale and without its
normalization of the sum over paths; the computation is faster:

- The harmonic of degree 0 is one number, so it scales the weights instead of the features.
- A product with the harmonics of degree 1 is a dot product, which comes before the linear map (it leaves a
  third of the numbers), or an outer product, which comes after it (it turns one number into three).
- If features come from nodes, the linear maps run on the nodes, before the gather: they commute with the
  products.
"""

import math
from typing import NamedTuple

import torch
from e3nn.math import normalize2mom
from torch import Tensor, nn
from torch.nn.functional import linear

from trainables.graph import Topology

DEGREE_0 = math.sqrt(1 / (4 * math.pi))
DEGREE_1 = math.sqrt(3 / (4 * math.pi))
# 1.6792 and 1.8467, computed by e3nn from its fixed sample, so they agree with its own to the last digit.
SILU_SCALE = normalize2mom(nn.functional.silu).cst
SIGMOID_SCALE = normalize2mom(torch.sigmoid).cst


class Steerable(NamedTuple):
    """scalars (..., C0) and vectors (..., 3, C1)"""

    scalars: Tensor
    vectors: Tensor

    def join(self, other: "Steerable") -> "Steerable":
        """The channels of both, concatenated."""
        return Steerable(*(torch.cat(parts, -1) for parts in zip(self, other, strict=True)))


class Harmonics(NamedTuple):
    """Spherical harmonics with integral normalization, or sums of them.

    Attributes:
        constant: Degree 0, the same number everywhere.
        vector: Degree 1, (..., 3), proportional to the direction.
    """

    constant: float
    vector: Tensor


def harmonics(vectors: Tensor) -> Harmonics:
    """The harmonics of the directions of vectors (..., 3); degree 1 is zero for zero vectors."""
    return Harmonics(DEGREE_0, DEGREE_1 * nn.functional.normalize(vectors, dim=-1))


class Product(nn.Module):
    """The tensor product of steerable features with harmonics, to other features; scalars get a bias.

    Args:
        inputs, outputs: Numbers of scalar and vector channels; outputs may lack one of the two.
    """

    def __init__(self, inputs: tuple[int, int], outputs: tuple[int, int]) -> None:
        super().__init__()
        self.outputs = outputs
        bound = 1 / math.sqrt(sum(inputs))

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

        if outputs[0]:
            self.scalar_to_scalar = uniform(outputs[0], inputs[0])
            self.vector_to_scalar = uniform(outputs[0], inputs[1])
            self.bias = uniform(outputs[0])
        if outputs[1]:
            self.scalar_to_vector = uniform(outputs[1], inputs[0])
            self.vector_to_vector = uniform(outputs[1], inputs[1])

    def matrices(self) -> list[Tensor]:
        """One matrix for each path, (channels_out, channels_in)."""
        return [parameter for name, parameter in self.named_parameters() if name != "bias"]

    def forward(self, x: Steerable, attribute: Harmonics) -> Steerable:
        """scalars (..., C0), vectors (..., 3, C1), attribute (..., 3) -> scalars (..., O0), vectors (..., 3, O1)"""
        return Steerable(
            self.to_scalars(x, attribute) if self.outputs[0] else x.scalars[..., :0],
            self.to_vectors(x, attribute) if self.outputs[1] else x.vectors[..., :0],
        )

    def to_scalars(self, x: Steerable, attribute: Harmonics) -> Tensor:
        """(..., O0)"""
        weight = torch.cat(
            [attribute.constant * self.scalar_to_scalar, self.vector_to_scalar / math.sqrt(3)], dim=1
        )
        return linear(torch.cat([x.scalars, dot(x.vectors, attribute.vector)], dim=-1), weight, self.bias)

    def to_vectors(self, x: Steerable, attribute: Harmonics) -> Tensor:
        """(..., 3, O1)"""
        along_harmonic = linear(x.scalars, self.scalar_to_vector)
        kept = linear(x.vectors, attribute.constant * self.vector_to_vector)
        return torch.addcmul(kept, along_harmonic.unsqueeze(-2), attribute.vector.unsqueeze(-1))


class EdgeProduct(Product):
    """The tensor product of [receiver, sender, edge scalars] with the harmonics of the edge.

    Args:
        nodes: Numbers of scalar and vector channels of a node.
        edge_scalars: Number of invariants of an edge.
    """

    def __init__(self, nodes: tuple[int, int], edge_scalars: int, outputs: tuple[int, int]) -> None:
        super().__init__((2 * nodes[0] + edge_scalars, 2 * nodes[1]), outputs)

    def forward(  # type: ignore[override]  # an edge product never stands in for its base class
        self, x: Steerable, edge_scalars: Tensor, attribute: Harmonics, topology: Topology
    ) -> Steerable:
        """x of the nodes, edge_scalars (nodes, senders, E), attribute (nodes, senders, 3) -> (nodes, senders, ...)"""
        constant, vector = attribute
        dotted = to_edges(x.vectors, self.vector_to_scalar / math.sqrt(3), topology)
        kept = to_edges(x.vectors, constant * self.vector_to_vector, topology)
        scalars = to_edges(x.scalars, constant * self.scalar_to_scalar, topology, edge_scalars, self.bias)
        along_harmonic = to_edges(x.scalars, self.scalar_to_vector, topology, edge_scalars)
        return Steerable(
            scalars + dot(dotted, vector),
            torch.addcmul(kept, along_harmonic.unsqueeze(-2), vector.unsqueeze(-1)),
        )


def to_edges(
    x: Tensor,
    weight: Tensor,
    topology: Topology,
    edge_scalars: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """The linear map of [receiver, sender, edge scalars] on each edge.

    x (nodes, ..., C), weight (O, 2 C + E), edge_scalars (nodes, senders, E) -> (nodes, senders, ..., O)
    """
    channels = x.shape[-1]
    of_receiver, of_sender, of_edge = weight.tensor_split([channels, 2 * channels], dim=1)
    receivers = linear(x, of_receiver, bias).unsqueeze(1)
    senders = linear(x, of_sender).index_select(0, topology.senders)
    senders = senders.unflatten(0, (topology.nodes, topology.num_senders))
    if edge_scalars is None:
        return receivers + senders
    # In place: the gradient of a sum needs none of its terms.
    return linear(edge_scalars, of_edge).add_(senders).add_(receivers)


def dot(vectors: Tensor, direction: Tensor) -> Tensor:
    """The dot product of vectors (..., 3, C) with one direction (..., 3) -> (..., C)."""
    return (vectors * direction.unsqueeze(-1)).sum(-2)


def gated(channels: tuple[int, int]) -> tuple[int, int]:
    """The channels `gate` needs to return `channels`: an extra scalar for each vector."""
    return (sum(channels), channels[1])


def gate(x: Steerable) -> Steerable:
    """e3nn's Gate: SiLU of the scalars, and each vector times the sigmoid of an extra scalar.

    Both functions are scaled to unit second moment for normally distributed arguments.
    """
    channels = x.vectors.shape[-1]
    scalars, gates = x.scalars.split([x.scalars.shape[-1] - channels, channels], dim=-1)
    factors = SIGMOID_SCALE * gates.sigmoid()
    return Steerable(SILU_SCALE * nn.functional.silu(scalars), x.vectors * factors.unsqueeze(-2))
