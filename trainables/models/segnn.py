"""Steerable E(3) graph network: Brandstetter, Hesselink, van der Pol, Bekkers and Welling 2022 (arXiv 2110.02905)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.graph import Graph, Signature, Topology
from trainables.models.layers.inputs import (
    centered_positions,
    check_num_neighbors,
    count_invariants,
    node_invariants,
    relative_positions,
    with_topology,
)
from trainables.models.layers.steerable import (
    EdgeProduct,
    Harmonics,
    Product,
    Steerable,
    gate,
    gated,
    harmonics,
)
from trainables.relaxation.representation import Representation, scalars, vectors


class SEGNN(nn.Module):
    """Messages and updates are perceptrons of tensor products (section 3 and appendix).

    The products are with the harmonics of the edge and with those of the node, which are the mean over its
    edges plus those of its vectors.

    It computes the same function as the authors' code (RobDHess/Steerable-E3-GNN): the degree-0 component of
    a node's harmonics is 1, an edge points from its receiver to its sender, and the gates are those of e3nn.

    A node's inputs are its scalars, its vectors and their norms, and its position relative to the mean over
    the nodes of its graph.

    Args:
        signature: "vectors" gives (nodes, 3); "scalars" gives (graphs, outputs), the mean over the nodes.
        hidden: Number of scalars and of vectors in a node's features.
        layers: Number of message layers.
        num_neighbors: Number of senders of each node if the task provides no edges.
    """

    revision = 2  # 1: other gates, edges reversed, degree-0 component of a node's harmonics not 1
    embedding_layers = ("embedding",)
    read_out_layers = ("read_out2",)
    relax_default = ("layers.*.update1", "layers.*.update2")
    relax_companion = "linear"

    def __init__(
        self,
        signature: Signature,
        *,
        hidden: Annotated[int, Field(ge=1)] = 32,
        layers: Annotated[int, Field(ge=1)] = 4,
        num_neighbors: Annotated[int, Field(ge=1)] = 16,
    ) -> None:
        super().__init__()
        check_num_neighbors(signature, num_neighbors, default=16)
        self.num_neighbors = num_neighbors
        self.output = signature.output
        features = (hidden, hidden)
        outputs = (0, 1) if signature.output == "vectors" else (signature.outputs, 0)
        self.embedding = Product((count_invariants(signature), 1 + signature.vectors), features)
        self.layers = nn.ModuleList(SEGNNLayer(hidden, 1 + signature.edge_scalars) for _ in range(layers))
        self.read_out1 = Product(features, gated(features))
        self.read_out2 = Product(features, outputs)

    def forward(self, graph: Graph) -> Tensor:
        """(nodes, 3), the displacement of each node, or (graphs, outputs)."""
        graph, topology = with_topology(graph, self.num_neighbors)
        to_senders = -relative_positions(graph.positions, topology)
        of_edges = harmonics(to_senders)
        of_nodes = node_harmonics(topology.mean_senders(of_edges.vector), harmonics(graph.vectors))
        by_receiver = graph.edge_scalars.unflatten(0, (topology.nodes, topology.num_senders))
        edge_scalars = torch.cat([to_senders.norm(dim=-1, keepdim=True), by_receiver], dim=-1)
        node_vectors = torch.cat([centered_positions(graph).unsqueeze(1), graph.vectors], dim=1)
        x = self.embedding(Steerable(node_invariants(graph), node_vectors.transpose(1, 2)), of_nodes)
        for layer in self.layers:
            x = layer(x, edge_scalars, of_edges, of_nodes, topology)
        x = self.read_out2(gate(self.read_out1(x, of_nodes)), of_nodes)
        return x.vectors.squeeze(-1) if self.output == "vectors" else topology.mean_nodes(x.scalars)


def node_harmonics(mean_of_edges: Tensor, of_vectors: Harmonics) -> Harmonics:
    """The harmonics that condition the updates of a node.

    They are 1 in degree 0, and in degree 1 the mean over its edges, (nodes, 3), plus the sum over its
    vectors, (nodes, V, 3).
    """
    return Harmonics(1.0, mean_of_edges + of_vectors.vector.sum(1))


class SEGNNLayer(nn.Module):
    """Two gated products on the edges, their sum over the senders, and two updates on the nodes."""

    def __init__(self, hidden: int, edge_scalars: int) -> None:
        super().__init__()
        features = (hidden, hidden)
        self.message1 = EdgeProduct(features, edge_scalars, gated(features))
        self.message2 = Product(features, gated(features))
        self.update1 = GatedUpdate(hidden)
        self.update2 = Update(hidden)

    def forward(
        self, x: Steerable, edge_scalars: Tensor, of_edges: Harmonics, of_nodes: Harmonics, topology: Topology
    ) -> Steerable:
        """x of the nodes -> the same; edge_scalars (nodes, senders, E); harmonics of edges and of nodes."""
        messages = gate(self.message1(x, edge_scalars, of_edges, topology))
        messages = gate(self.message2(messages, of_edges))
        received = Steerable(*(topology.sum_senders(part) for part in messages))
        changed = self.update2(*self.update1(*x, *received, of_nodes), of_nodes)
        return Steerable(*(old + change for old, change in zip(x, changed, strict=True)))


def steerable(hidden: int) -> tuple[Representation, Representation]:
    """The representations of the two parts of steerable features."""
    return scalars(hidden), vectors(hidden)


class GatedUpdate(nn.Module):
    """The gated product of a node's features and the sum of its messages with the harmonics of the node."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.product = Product((2 * hidden, 2 * hidden), gated((hidden, hidden)))
        self.representation_in = (*steerable(hidden), *steerable(hidden))
        self.representation_out = steerable(hidden)

    def forward(
        self,
        scalars: Tensor,
        vectors: Tensor,
        received_scalars: Tensor,
        received_vectors: Tensor,
        of_nodes: Harmonics,
    ) -> Steerable:
        """scalars (nodes, hidden) and vectors (nodes, 3, hidden), the node's own and the received -> the same."""
        x = Steerable(scalars, vectors).join(Steerable(received_scalars, received_vectors))
        return gate(self.product(x, of_nodes))


class Update(nn.Module):
    """The product of the updated features with the harmonics of the node."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.product = Product((hidden, hidden), (hidden, hidden))
        self.representation_in = self.representation_out = steerable(hidden)

    def forward(self, scalars: Tensor, vectors: Tensor, of_nodes: Harmonics) -> Steerable:
        """scalars (nodes, hidden) and vectors (nodes, 3, hidden) -> the same."""
        return self.product(Steerable(scalars, vectors), of_nodes)
