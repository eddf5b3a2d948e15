"""Attention of Equiformer (Liao and Smidt 2023, arXiv 2206.11990) on features with channels for each degree."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.graph import Topology
from trainables.models.layers.by_degree import (
    ByDegreeLinear,
    DepthwiseLinear,
    Features,
    gate,
    gated,
    widths,
)
from trainables.models.layers.perceptron import smooth_leaky_relu


class GraphAttention(nn.Module):
    """Messages from two depth-wise products with a gate between them, weighted by attention (section 4.3)."""

    def __init__(
        self,
        channels: Sequence[int],
        heads: int,
        logits: int,
        radial_sizes: tuple[int, int],
        inversion: bool,
    ) -> None:
        super().__init__()
        self.heads, self.logits = heads, heads * logits
        self.sender = ByDegreeLinear(channels, channels, inversion)
        self.receiver = ByDegreeLinear(channels, channels, inversion, bias=False)
        scalars, *others = gated(channels)
        radial = radial_profile(*radial_sizes, sum(widths(channels, inversion)))
        self.message = DepthwiseLinear(channels, [self.logits + scalars, *others], inversion, radial)
        self.alignment = nn.Parameter(torch.randn(heads, logits) / logits**0.5)
        self.values = DepthwiseLinear(channels, channels, inversion)
        self.project = ByDegreeLinear(channels, channels, inversion)

    def forward(
        self, x: Features, couplings: list[list[Tensor]], edges: Tensor, topology: Topology
    ) -> Features:
        """(nodes, 2l+1, channels[l]) -> the same"""
        pairs = tuple(
            topology.to_edges(receiver) + sender.index_select(0, topology.senders)
            for receiver, sender in zip(self.receiver(*x), self.sender(*x), strict=True)
        )
        scalars, *others = self.message(pairs, couplings, edges)
        logits, scalars = scalars.split([self.logits, scalars.shape[-1] - self.logits], -1)
        values = self.values(gate((scalars, *others)), couplings, edges)
        weights = self.attention(logits.squeeze(1), topology)[:, None, :, None]
        weighted = (part.unflatten(-1, (self.heads, -1)) * weights for part in values)
        return self.project(*(topology.sum_edges(part.flatten(2)) for part in weighted))

    def attention(self, logits: Tensor, topology: Topology) -> Tensor:
        """(edges, heads * logits) -> (edges, heads), which sum to one over the edges that a node receives."""
        aligned = (smooth_leaky_relu(logits.unflatten(-1, (self.heads, -1))) * self.alignment).sum(-1)
        by_receiver = aligned.unflatten(0, (topology.nodes, topology.num_senders))
        return topology.softmax_senders(by_receiver).flatten(0, 1)


def radial_profile(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Network from an edge's invariants to the weights of a product, normed after each hidden layer."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.SiLU(),
        nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.SiLU(),
        nn.Linear(hidden, outputs),
    )  # fmt: skip
