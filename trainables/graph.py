"""The input of every model: a batch of equally sized graphs of points in space.

Positions are in the task's own length unit. All samples of one data set have the same number of nodes,
so sums over neighbors and over nodes are plain reductions of a reshaped tensor, without scatter.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Signature:
    """The features that a task gives a model, and the output that it expects.

    Attributes:
        scalars, vectors: Number of invariant features and of polar vectors on each node.
        edge_scalars: Number of invariant features on each edge.
        output: "vectors" for (nodes, 3), one translation-invariant polar vector per node; "scalars" for
            (graphs, outputs), invariants of the whole graph.
        own_edges: Whether the task gives every graph its edges, so that the model chooses no neighbors.
    """

    scalars: int
    vectors: int
    edge_scalars: int
    output: Literal["vectors", "scalars"]
    outputs: int = 1
    own_edges: bool = False


@dataclass(frozen=True)
class Topology:
    """The edges from senders to receivers, sorted by receiver; every node has a row of `num_senders` of them.

    Attributes:
        senders: (edges,) node index; receiver of edge e is e // num_senders.
        graphs, nodes_per_graph, num_senders: Integers; edges = graphs * nodes_per_graph * num_senders.
        present: (nodes, senders) False for an edge that only pads its row, since the node receives from fewer
            nodes than others do; its messages are ignored. None if all rows are full.
    """

    senders: Tensor
    graphs: int
    nodes_per_graph: int
    num_senders: int
    present: Tensor | None = None

    @property
    def nodes(self) -> int:
        return self.graphs * self.nodes_per_graph

    @property
    def degree(self) -> int:
        """`num_senders` under its former name, for models written for version 0.1."""
        return self.num_senders

    def to_edges(self, node_features: Tensor) -> Tensor:
        """(nodes, ...) -> (edges, ...): the receiver's feature on each of its edges."""
        expanded = node_features.unsqueeze(1).expand(-1, self.num_senders, *node_features.shape[1:])
        return expanded.flatten(0, 1)

    def sum_edges(self, messages: Tensor) -> Tensor:
        """(edges, ...) -> (nodes, ...): the sum over the edges that each node receives."""
        return self.sum_senders(messages.unflatten(0, (self.nodes, self.num_senders)))

    @property
    def counts(self) -> int | Tensor:
        """How many senders each node has, at least 1: one number for all, or (nodes, 1)."""
        return self.num_senders if self.present is None else self.present.sum(1, keepdim=True).clamp(min=1)

    def divided_by_root(self, node_features: Tensor) -> Tensor:
        """(nodes, ...) -> the same, divided by the square root of the number of senders of each node."""
        counts = self.counts
        if isinstance(counts, Tensor):
            counts = counts.view(-1, *[1] * (node_features.ndim - 1)).to(node_features.dtype)
        return node_features / counts**0.5

    def only_present(self, by_receiver: Tensor) -> Tensor:
        """(nodes, senders, ...) with zeros for the edges that only pad a row."""
        if self.present is None:
            return by_receiver
        return by_receiver * self.present.view(*self.present.shape, *[1] * (by_receiver.ndim - 2))

    def sum_senders(self, by_receiver: Tensor) -> Tensor:
        """(nodes, senders, ...) -> (nodes, ...): the sum over the senders of each node."""
        return self.only_present(by_receiver).sum(1)

    def mean_senders(self, by_receiver: Tensor) -> Tensor:
        """(nodes, senders, ...) -> (nodes, ...): the mean over the senders of each node, 0 if it has none."""
        if self.present is None:
            return by_receiver.mean(1)
        counts = self.present.sum(1).clamp(min=1).view(-1, *[1] * (by_receiver.ndim - 2))
        return self.sum_senders(by_receiver) / counts

    def softmax_senders(self, logits: Tensor) -> Tensor:
        """(nodes, senders, ...) -> weights that sum to one over the senders of each node."""
        if self.present is None:
            return logits.softmax(1)
        present = self.present.view(*self.present.shape, *[1] * (logits.ndim - 2))
        lowest = torch.finfo(logits.dtype).min
        return self.only_present(logits.masked_fill(~present, lowest).softmax(1))

    def sum_nodes(self, node_features: Tensor) -> Tensor:
        """(nodes, ...) -> (graphs, ...): the sum over the nodes of each graph."""
        return node_features.unflatten(0, (self.graphs, self.nodes_per_graph)).sum(1)

    def mean_nodes(self, node_features: Tensor) -> Tensor:
        """(nodes, ...) -> (graphs, ...): the mean over the nodes of each graph."""
        return node_features.unflatten(0, (self.graphs, self.nodes_per_graph)).mean(1)


@dataclass(frozen=True)
class Graph:
    """A batch of graphs.

    Attributes:
        positions: (nodes, 3).
        scalars: (nodes, S) invariant features (charge, one-hot element); S may be 0.
        vectors: (nodes, V, 3) polar vectors (velocity); V may be 0.
        edge_scalars: (edges, E) invariant features (product of charges); E may be 0.
        topology: The edges; None if the model builds its own (nearest neighbors in a point cloud).
        graphs: Number of graphs; node i belongs to graph i // (nodes / graphs).
    """

    positions: Tensor
    scalars: Tensor
    vectors: Tensor
    edge_scalars: Tensor
    topology: Topology | None
    graphs: int


@lru_cache(maxsize=64)
def complete_topology(graphs: int, nodes_per_graph: int, device: torch.device) -> Topology:
    """Every node receives from every other node of its graph; built once for each batch shape and device."""
    nodes = torch.arange(nodes_per_graph)
    others = torch.stack([nodes[nodes != node] for node in range(nodes_per_graph)])
    first_node = nodes_per_graph * torch.arange(graphs)
    senders = (first_node[:, None, None] + others).reshape(-1).to(device)
    return Topology(senders, graphs, nodes_per_graph, nodes_per_graph - 1)


def nearest_topology(
    positions: Tensor, graphs: int, num_neighbors: int, *, include_self: bool = False
) -> Topology:
    """The `num_neighbors` nearest nodes of each node within its graph; positions (nodes, any).

    Distances come from one batched matrix product, so that no compiled extension is needed.

    Args:
        include_self: Whether a node counts as its own first neighbor.
    """
    points = positions.detach().unflatten(0, (graphs, -1))
    squares = points.square().sum(-1)
    distances = squares[:, :, None] + squares[:, None, :] - 2 * points @ points.transpose(1, 2)
    distances.diagonal(dim1=1, dim2=2).fill_(-torch.inf if include_self else torch.inf)
    nearest = distances.topk(num_neighbors, dim=-1, largest=False, sorted=False).indices
    nodes_per_graph = points.shape[1]
    first_node = nodes_per_graph * torch.arange(graphs, device=positions.device)
    senders = (first_node[:, None, None] + nearest).reshape(-1)
    return Topology(senders, graphs, nodes_per_graph, num_neighbors)


def topology_of(adjacency: Tensor, graphs: int, device: torch.device) -> Topology:
    """The same edges in every graph.

    Args:
        adjacency: (nodes_per_graph, nodes_per_graph), True where the row's node receives from the column's.
        graphs: Number of graphs.
        device: Where the topology is kept.
    """
    counts = adjacency.sum(1)
    num_senders = max(1, int(counts.max()))
    # Senders first, in their own order, then others that pad the row, never the node itself.
    rank = 2 * adjacency.int() + (1 - torch.eye(len(adjacency), dtype=torch.int32, device=adjacency.device))
    order = rank.argsort(dim=1, descending=True, stable=True)[:, :num_senders].to(device)
    present = (torch.arange(num_senders) < counts.unsqueeze(1)).to(device)
    nodes_per_graph = len(adjacency)
    first_node = nodes_per_graph * torch.arange(graphs, device=device)
    senders = (first_node[:, None, None] + order).reshape(-1)
    full = bool((counts == num_senders).all())
    return Topology(
        senders, graphs, nodes_per_graph, num_senders, None if full else present.repeat(graphs, 1)
    )


def cutoff_topology(positions: Tensor, graphs: int, cutoff: float) -> Topology:
    """Every node receives from the nodes of its graph that are nearer than `cutoff`; positions (nodes, 3).

    Rows are as long as the most crowded node needs, so that memory grows with the number of edges.
    """
    points = positions.detach().unflatten(0, (graphs, -1))
    near = (torch.cdist(points, points) < cutoff).sum(-1) - 1
    num_senders = min(max(1, int(near.max())), points.shape[1] - 1)
    topology = nearest_topology(positions, graphs, num_senders)
    differences = positions.detach()[topology.senders].unflatten(0, (-1, num_senders)) - positions.unsqueeze(
        1
    )
    return replace(topology, present=differences.square().sum(-1) < cutoff**2)
