"""Quantities that a graph model computes from a graph before its first layer."""

from dataclasses import replace

import torch
from torch import Tensor

from trainables.errors import BadInput
from trainables.graph import Graph, Signature, Topology, nearest_topology


def with_topology(graph: Graph, num_neighbors: int) -> tuple[Graph, Topology]:
    """The graph with edges, and the edges: its own if it has any, else those from the `num_neighbors` nearest nodes.

    A graph without edges has no edge_scalars. Graphs with too few nodes are fully connected.
    """
    if graph.topology is not None:
        return graph, graph.topology
    others = len(graph.positions) // graph.graphs - 1
    topology = nearest_topology(graph.positions, graph.graphs, min(num_neighbors, others))
    edge_scalars = graph.positions.new_zeros(len(topology.senders), 0)
    return replace(graph, topology=topology, edge_scalars=edge_scalars), topology


def check_num_neighbors(signature: Signature, num_neighbors: int, default: int) -> None:
    """Raise BadInput if `num_neighbors` was chosen for a task that gives its own edges, which would ignore it.

    The default passes, since every resolved description contains it.
    """
    if signature.own_edges and num_neighbors != default:
        raise BadInput(
            f"model.num_neighbors: {num_neighbors}, but the task gives its own edges; remove it "
            "(nbody has task.num_neighbors)"
        )


def relative_positions(positions: Tensor, topology: Topology) -> Tensor:
    """(nodes, senders, 3): the receiver's position minus that of each of its senders."""
    senders = positions.index_select(0, topology.senders).unflatten(0, (topology.nodes, topology.num_senders))
    return positions.unsqueeze(1) - senders


def squared_lengths(vectors: Tensor) -> Tensor:
    """(..., 3) -> (..., 1)."""
    return vectors.square().sum(-1, keepdim=True)


def centered_positions(graph: Graph) -> Tensor:
    """(nodes, 3): positions relative to the mean over the nodes of their own graph."""
    by_graph = graph.positions.unflatten(0, (graph.graphs, -1))
    return (by_graph - by_graph.mean(1, keepdim=True)).flatten(0, 1)


def count_invariants(signature: Signature) -> int:
    """The number of columns of `node_invariants`."""
    return max(1, signature.scalars + signature.vectors)


def node_invariants(graph: Graph) -> Tensor:
    """(nodes, S + V): scalars and norms of the vectors, or a constant 1 if a node has neither."""
    if graph.scalars.shape[1] + graph.vectors.shape[1] == 0:
        return torch.ones_like(graph.positions[:, :1])
    return torch.cat([graph.scalars, graph.vectors.norm(dim=-1)], dim=-1)
