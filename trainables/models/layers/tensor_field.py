"""Kernels of tensor-field networks (Thomas et al. 2018, arXiv 1802.08219), averaged plainly or by attention.

A kernel maps the sender's features: a matrix on its channels, the coupling with the harmonics of the edge,
radial functions for each path and channel, and a matrix on the channels of the paths. Of these, only the
coupling and the radial functions need the edge. The first matrix runs on the nodes before the gather; the
last runs on the nodes too: after the sum over the senders or, for keys, transposed, on the query that they
are multiplied by.

Features are (nodes, components, channels) as in depthwise.py. Couplings are, for each output degree l,
(edges, (2l+1) * paths, components).
"""

import torch
from torch import Tensor, nn

from trainables.graph import Topology
from trainables.models.layers.depthwise import DegreeLinear, PathLinear, coupling_paths
from trainables.models.layers.radial import radial_network


class Kernel(nn.Module):
    """All of a kernel except its last matrix."""

    def __init__(self, channels: int, degree: int, edge_inputs: int, radial_hidden: int) -> None:
        super().__init__()
        self.paths = [len(paths) for paths in coupling_paths(degree)]
        self.sender = DegreeLinear(channels, channels, degree)
        self.radial = radial_network(edge_inputs, radial_hidden, sum(self.paths) * channels)

    def forward(
        self, x: Tensor, couplings: list[Tensor], edges: Tensor, topology: Topology
    ) -> list[tuple[Tensor, Tensor]]:
        """The products of each degree, and the radial functions to multiply them by.

        Args:
            edges: (edges, E), the invariants that the radial functions see.

        Returns:
            For each degree l (nodes, senders, 2l+1, paths, channels) and (nodes, senders, paths, channels).
        """
        senders = self.sender(x).index_select(0, topology.senders)
        shape = (topology.nodes, topology.num_senders, -1)
        radial = self.radial(edges).view(*shape, x.shape[-1]).split(self.paths, dim=2)
        return [
            ((coupling @ senders).view(*shape, paths, x.shape[-1]), factor)
            for coupling, paths, factor in zip(couplings, self.paths, radial, strict=True)
        ]


class Convolution(nn.Module):
    """The mean of a kernel over the senders."""

    def __init__(self, channels: int, degree: int, edge_inputs: int, radial_hidden: int) -> None:
        super().__init__()
        self.values = Kernel(channels, degree, edge_inputs, radial_hidden)
        self.output = PathLinear(channels, [channels] * (degree + 1))

    def forward(self, x: Tensor, couplings: list[Tensor], edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, components, channels) -> the same"""
        received = [
            topology.mean_senders(product * radial.unsqueeze(2)).flatten(1, 2)
            for product, radial in self.values(x, couplings, edges, topology)
        ]
        return torch.cat(self.output(torch.cat(received, dim=1)), dim=1)


class Attention(nn.Module):
    """The mean of a kernel over the senders, weighted by the match between the receiver and another kernel.

    Fuchs et al. 2020 (arXiv 2006.10503), equations 10 and 11. Each head has its own channels of the kernels.
    """

    def __init__(self, channels: int, degree: int, edge_inputs: int, radial_hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.keys = Kernel(channels, degree, edge_inputs, radial_hidden)
        self.values = Kernel(channels, degree, edge_inputs, radial_hidden)
        self.queries = nn.ParameterList(
            torch.randn(channels, paths * channels) / channels**0.5 for paths in self.keys.paths
        )
        self.output = PathLinear(channels, [channels] * (degree + 1))

    def matrices(self) -> list[Tensor]:
        """The matrices of the queries, one for each path, (channels, channels)."""
        return [matrix for query in self.queries for matrix in query.split(len(query), dim=1)]

    def forward(self, x: Tensor, couplings: list[Tensor], edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, components, channels) -> the same"""
        weights = self.weights(x, couplings, edges, topology).repeat_interleave(x.shape[-1] // self.heads, -1)
        received = [
            (product * (radial * weights.unsqueeze(2)).unsqueeze(2)).sum(1).flatten(1, 2)
            for product, radial in self.values(x, couplings, edges, topology)
        ]
        return torch.cat(self.output(torch.cat(received, dim=1)), dim=1)

    def weights(self, x: Tensor, couplings: list[Tensor], edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, senders, heads), which sum to one over the senders."""
        _, components, channels = x.shape
        receivers = x.split([2 * degree + 1 for degree in range(len(self.queries))], dim=1)
        matches = []
        for receiver, matrix, (key, radial) in zip(
            receivers, self.queries, self.keys(x, couplings, edges, topology), strict=True
        ):
            query = (receiver @ matrix).unflatten(-1, (-1, channels)).unsqueeze(1)
            matches.append(((query * key).sum(2) * radial).sum(2))
        by_head = sum(matches).unflatten(-1, (self.heads, -1)).sum(-1)
        return topology.softmax_senders(by_head / (components * channels / self.heads) ** 0.5)
