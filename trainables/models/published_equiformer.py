"""Equiformer with the parts and widths of the paper (Liao and Smidt 2023, arXiv 2206.11990).

At its MD17 size (`channels: [128, 64, 32]`, `features: 512`) the public code (atomicarchitects/equiformer)
has 3,496,001 parameters, of which 64 x 128 embed atoms. With `inversion: false` and the same atom types ours
has 128 fewer: the public edge embedding starts from a weight and a bias, ours from one vector. With
`inversion: true`, our default, another 208,320 are missing, 6% of the total: the four paths of degree 2 whose
products are axial (1 x 1 -> 1, 1 x 2 -> 2, 2 x 1 -> 2, 2 x 2 -> 1) have 31,104 weights in each of the six
blocks and 21,696 in the edge embedding. The public features have no parity, so the public code has these
paths, and its energies may change under inversion. Further differences, without parameters: ours has complete
graphs or nearest neighbors, and radial functions without a cutoff.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.graph import Graph, Signature, Topology
from trainables.models.layers.by_degree import (
    ByDegreeLinear,
    ByDegreeNorm,
    DepthwiseLinear,
    Features,
    by_path,
    gate,
    gated,
    representations,
    widths,
)
from trainables.models.layers.by_degree_attention import GraphAttention, radial_profile
from trainables.models.layers.depthwise import Couplings
from trainables.models.layers.inputs import (
    count_invariants,
    node_invariants,
    relative_positions,
    with_topology,
)
from trainables.models.layers.perceptron import perceptron
from trainables.models.layers.radial import ExponentialNormal
from trainables.models.layers.steerable import SILU_SCALE


class PublishedEquiformer(nn.Module):
    """Embedding, blocks of attention and feed-forward, norm, and a head on the invariants.

    The other options are those of `equiformer_choice.equiformer`.

    Args:
        channels: Number of channels of each degree from 0; each divided among `heads`.
        features: Number of scalars that the last block outputs and the head reads, for invariant outputs; 0
            keeps those of `channels`.
        inversion: Whether features have the parity of the harmonics; False is as published, and inversions
            are then not a symmetry of the network.
    """

    embedding_layers = ("embedding.scalars", "embedding.vectors")
    read_out_layers = ("head.2",)
    relax_default = ("blocks.*.feed_forward",)
    relax_companion = "feed_forward"

    def __init__(
        self,
        signature: Signature,
        *,
        channels: Sequence[int],
        features: int = 0,
        inversion: bool = True,
        layers: int = 6,
        heads: int = 4,
        logits: int = 32,
        expansion: int = 3,
        radial: int = 32,
        radial_hidden: int = 64,
        length: float = 1.0,
        num_neighbors: int = 20,
    ) -> None:
        super().__init__()
        self.signature, self.num_neighbors = signature, num_neighbors
        self.largest, self.inversion = len(channels) - 1, inversion
        self.couplings = Couplings(self.largest, inversion)
        self.radial_basis = ExponentialNormal(radial, length)
        radial_sizes = (radial + signature.edge_scalars, radial_hidden)
        self.embedding = Embedding(signature, channels, radial_sizes, inversion)
        last = [features] if features and signature.output == "scalars" else list(channels)
        self.blocks = nn.ModuleList(
            Block(
                GraphAttention(channels, heads, logits, radial_sizes, inversion),
                FeedForward(channels, last if index == layers - 1 else channels, expansion, inversion),
                channels,
                ByDegreeLinear(channels, last, inversion)
                if index == layers - 1 and last != list(channels)
                else None,
            )
            for index in range(layers)
        )
        self.norm = ByDegreeNorm(last)
        outputs = signature.outputs if signature.output == "scalars" else channels[1]
        self.head = perceptron(last[0], last[0], outputs)

    def forward(self, graph: Graph) -> Tensor:
        """(nodes, 3), each node's vectors weighted by functions of its scalars, or (graphs, outputs)."""
        graph, topology = with_topology(graph, self.num_neighbors)
        relative = relative_positions(graph.positions, topology).flatten(0, 1)
        couplings = by_path(self.couplings(relative)[1], self.largest, self.inversion)
        radial = self.radial_basis(relative.norm(dim=-1, keepdim=True))
        edges = torch.cat([radial, graph.edge_scalars], -1)

        x = self.embedding(graph, couplings, edges, topology)
        for block in self.blocks:
            x = block(x, couplings, edges, topology)
        x = self.norm(x)
        first, _, second = self.head
        invariants = second(SILU_SCALE * nn.functional.silu(first(x[0].squeeze(1))))
        if self.signature.output == "scalars":
            return topology.sum_nodes(invariants) / topology.nodes_per_graph**0.5
        return (x[1] * invariants.unsqueeze(1)).mean(-1)


class Embedding(nn.Module):
    """The node's own features plus a product of constants with the harmonics of its edges (section 4.4)."""

    def __init__(
        self, signature: Signature, channels: Sequence[int], radial_sizes: tuple[int, int], inversion: bool
    ) -> None:
        super().__init__()
        self.channels = channels
        self.scalars = nn.Linear(count_invariants(signature), channels[0])
        self.vectors = nn.Linear(signature.vectors, channels[1], bias=False) if signature.vectors else None
        self.constants = nn.Parameter(torch.randn(channels[0]))
        radial = radial_profile(*radial_sizes, sum(widths(channels, inversion)))
        self.edges = DepthwiseLinear(channels, channels, inversion, radial)

    def forward(
        self, graph: Graph, couplings: list[list[Tensor]], edges: Tensor, topology: Topology
    ) -> Features:
        """(nodes, 2l+1, channels[l])"""
        constants = self.with_zeros([self.constants.expand(len(edges), 1, -1)])
        received = self.edges(constants, couplings, edges)
        own = [self.scalars(node_invariants(graph)).unsqueeze(1)]
        if self.vectors is not None:
            own.append(self.vectors(graph.vectors.transpose(1, 2)))
        return tuple(
            topology.divided_by_root(topology.sum_edges(part)) + of_node
            for part, of_node in zip(received, self.with_zeros(own), strict=True)
        )

    def with_zeros(self, x: list[Tensor]) -> Features:
        """The first degrees, with zeros appended for the missing ones."""
        missing = range(len(x), len(self.channels))
        zeros = [x[0].new_zeros(len(x[0]), 2 * degree + 1, self.channels[degree]) for degree in missing]
        return (*x, *zeros)


class Block(nn.Module):
    """Attention and feed-forward, each applied to normed features, with a residual connection (figure 1).

    Args:
        shortcut: Map on the residual connection of the feed-forward, if that changes the channels; else None.
    """

    def __init__(
        self,
        attention: GraphAttention,
        feed_forward: "FeedForward",
        channels: Sequence[int],
        shortcut: ByDegreeLinear | None,
    ) -> None:
        super().__init__()
        self.attention_norm, self.attention = ByDegreeNorm(channels), attention
        self.feed_forward_norm, self.feed_forward = ByDegreeNorm(channels), feed_forward
        self.shortcut = shortcut

    def forward(
        self, x: Features, couplings: list[list[Tensor]], edges: Tensor, topology: Topology
    ) -> Features:
        """(nodes, 2l+1, channels[l]) -> the same, or with the channels of the shortcut"""
        x = add(x, self.attention(self.attention_norm(x), couplings, edges, topology))
        changed = self.feed_forward(*self.feed_forward_norm(x))
        return add(x if self.shortcut is None else self.shortcut(*x), changed)


class FeedForward(nn.Module):
    """Linear, gate, linear: (nodes, 2l+1, inputs[l]) for each degree -> the same with outputs[l]."""

    def __init__(
        self, inputs: Sequence[int], outputs: Sequence[int], expansion: int, inversion: bool
    ) -> None:
        super().__init__()
        hidden = [expansion * count for count in inputs]
        self.expand = ByDegreeLinear(inputs, gated(hidden), inversion)
        self.contract = ByDegreeLinear(hidden, outputs, inversion)
        self.representation_in = representations(inputs, inversion)
        self.representation_out = representations(outputs, inversion)

    def forward(self, *x: Tensor) -> Features:
        return self.contract(*gate(self.expand(*x)))


def add(x: Features, change: Features) -> Features:
    """The sum of features, degree by degree."""
    return tuple(old + new for old, new in zip(x, change, strict=True))
