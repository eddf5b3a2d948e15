"""Properties required of every model, as functions that return numbers for a model and a graph in float64."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from trainables.graph import Graph, Signature, Topology, complete_topology
from trainables.symmetry import (
    Symmetry,
    permute_graph,
    permute_output,
    random_order,
    random_rotations,
    rotate_graph,
    rotate_output,
    translate_graph,
)


def random_graph(
    signature: Signature, graphs: int, nodes: int, seed: int, edges: bool = True, device: str = "cpu"
) -> Graph:
    """Gaussian positions and features in float64; complete graphs, or points without edges."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(device)

    count = graphs * nodes
    topology = complete_topology(graphs, nodes, torch.device(device)) if edges else None
    return Graph(
        positions=normal(count, 3) + 3.0,
        scalars=normal(count, signature.scalars),
        vectors=normal(count, signature.vectors, 3),
        edge_scalars=normal(count * (nodes - 1) if edges else 0, signature.edge_scalars),
        topology=topology,
        graphs=graphs,
    )


def one_graph(graph: Graph, index: int) -> Graph:
    """The graph at `index` of a batch, as a batch of one."""
    nodes = len(graph.positions) // graph.graphs
    of_nodes = slice(index * nodes, (index + 1) * nodes)
    topology, edge_scalars = graph.topology, graph.edge_scalars
    if topology is not None:
        edges = nodes * topology.num_senders
        of_edges = slice(index * edges, (index + 1) * edges)
        edge_scalars = edge_scalars[of_edges]
        topology = Topology(topology.senders[of_edges] - index * nodes, 1, nodes, topology.num_senders)
    return Graph(
        graph.positions[of_nodes], graph.scalars[of_nodes], graph.vectors[of_nodes], edge_scalars, topology, 1
    )


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """|found - expected| / |expected|, both as one long vector."""
    return float((found - expected).detach().norm() / expected.detach().norm())


@torch.no_grad()
def symmetry_errors(
    model: nn.Module, signature: Signature, symmetry: Symmetry, graph: Graph, seed: int = 0
) -> dict[str, float]:
    """The relative difference between model(g x) and g model(x), for one element of each part of the group."""
    generator = torch.Generator().manual_seed(seed)
    rotation = random_rotations(1, generator)[0].to(graph.positions.device)
    order = random_order(graph, generator)
    expected = model(graph)
    errors = {
        "rotation": relative_difference(
            model(rotate_graph(graph, rotation)), rotate_output(signature, expected, rotation)
        ),
        "permutation": relative_difference(
            model(permute_graph(graph, order)), permute_output(signature, expected, order)
        ),
    }
    if symmetry.inversion:
        inverted = model(rotate_graph(graph, -rotation))
        errors["inversion"] = relative_difference(inverted, rotate_output(signature, expected, -rotation))
    if symmetry.translations:
        moved = translate_graph(graph, torch.randn(3, generator=generator, dtype=torch.float64))
        errors["translation"] = relative_difference(model(moved), expected)
    return errors


@torch.no_grad()
def batching_error(model: nn.Module, graph: Graph) -> float:
    """The relative difference between a batch and its graphs one by one."""
    singles = [model(one_graph(graph, index)) for index in range(graph.graphs)]
    return relative_difference(torch.cat(singles), model(graph))


@torch.no_grad()
def roughness(model: nn.Module, graph: Graph, steps: int = 60, length: float = 0.3, seed: int = 0) -> float:
    """The largest second difference of the output over its largest first difference, along a straight path.

    Every coordinate moves a Gaussian distance with standard deviation `length`. The ratio is of order 1 / steps
    if the model is smooth, and of order one if it jumps or has a kink along the path.
    """
    generator = torch.Generator().manual_seed(seed)
    shift = length * torch.randn(graph.positions.shape, generator=generator, dtype=torch.float64)
    shift = shift.to(graph.positions.device)
    outputs = torch.stack(
        [model(replace(graph, positions=graph.positions + part / steps * shift)) for part in range(steps + 1)]
    )
    first = outputs.diff(dim=0)
    return float(first.diff(dim=0).abs().max() / first.abs().max())


def train(model: nn.Module, graph: Graph, steps: int, lr: float = 1e-3, seed: int = 0) -> None:
    """Take some Adam steps towards Gaussian targets, so that no parameter keeps its initial value."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    targets = None
    for _ in range(steps):
        prediction = model(graph)
        if targets is None:
            targets = torch.randn(prediction.shape, generator=generator, dtype=torch.float64)
            targets = targets.to(prediction.device)
        optimizer.zero_grad()
        (prediction - targets).square().mean().backward()
        optimizer.step()
