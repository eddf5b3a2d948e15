"""Random elements of the group of a task, and how they act on graphs and on what models return."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainables.graph import Graph, Signature, Topology


@dataclass(frozen=True)
class Symmetry:
    """The group that a task's targets respect, beside rotations and permutations of nodes (always)."""

    inversion: bool
    translations: bool


def random_rotations(count: int, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) rotations in float64 on the generator's device, uniform on SO(3).

    From normalized Gaussian quaternions.
    """
    quaternions = torch.randn(count, 4, generator=generator, dtype=torch.float64, device=generator.device)
    w, x, y, z = (quaternions / quaternions.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, 1).view(count, 3, 3)


def random_inversions(count: int, generator: torch.Generator) -> Tensor:
    """(count, 1, 1) factors on matrices: 1, or with probability 1/2 the -1 of an inversion."""
    return 1 - 2 * torch.randint(2, (count, 1, 1), generator=generator, device=generator.device)


def rotate_nodes(node_vectors: Tensor, matrices: Tensor) -> Tensor:
    """Rotate (nodes, ..., 3) by (graphs, 3, 3), each graph by its own matrix, or all by one (3, 3)."""
    matrices = matrices.to(node_vectors)
    if matrices.ndim == 2:
        return node_vectors @ matrices.T
    by_graph = node_vectors.reshape(len(matrices), -1, 3)
    return (by_graph @ matrices.transpose(1, 2)).reshape(node_vectors.shape)


def rotate_graph(graph: Graph, matrices: Tensor) -> Graph:
    """The graph with all its vectors under orthogonal matrices, (3, 3) or (graphs, 3, 3)."""
    return replace(
        graph,
        positions=rotate_nodes(graph.positions, matrices),
        vectors=rotate_nodes(graph.vectors, matrices),
    )


def translate_graph(graph: Graph, shift: Tensor) -> Graph:
    """The graph moved by shift (3,)."""
    return replace(graph, positions=graph.positions + shift.to(graph.positions))


def permute_graph(graph: Graph, order: Tensor) -> Graph:
    """The graph whose node i is the old node order[i]; order (nodes,) stays within each graph."""
    topology, edge_scalars = graph.topology, graph.edge_scalars
    if topology is not None:
        new_of_old = torch.empty_like(order)
        new_of_old[order] = torch.arange(len(order), device=order.device)
        senders = new_of_old[topology.senders].unflatten(0, (topology.nodes, topology.degree))[order]
        edge_scalars = edge_scalars.unflatten(0, (topology.nodes, topology.degree))[order].flatten(0, 1)
        topology = Topology(senders.flatten(), topology.graphs, topology.nodes_per_graph, topology.degree)
    return replace(
        graph,
        positions=graph.positions[order],
        scalars=graph.scalars[order],
        vectors=graph.vectors[order],
        edge_scalars=edge_scalars,
        topology=topology,
    )


def random_order(graph: Graph, generator: torch.Generator) -> Tensor:
    """(nodes,) a permutation that shuffles the nodes of each graph among themselves."""
    nodes_per_graph = len(graph.positions) // graph.graphs
    orders = [
        index * nodes_per_graph + torch.randperm(nodes_per_graph, generator=generator)
        for index in range(graph.graphs)
    ]
    return torch.cat(orders).to(graph.positions.device)


def rotate_output(signature: Signature, output: Tensor, matrix: Tensor) -> Tensor:
    """How a model's output answers to an orthogonal matrix (3, 3) applied to its input."""
    return rotate_nodes(output, matrix) if signature.output == "vectors" else output


def permute_output(signature: Signature, output: Tensor, order: Tensor) -> Tensor:
    """How a model's output answers to a permutation of the nodes."""
    return output[order] if signature.output == "vectors" else output
