"""E(n)-equivariant graph network with velocities: Satorras, Hoogeboom and Welling 2021 (arXiv 2102.09844)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from trainables.graph import Graph, Signature, Topology
from trainables.models.layers.inputs import (
    check_num_neighbors,
    count_invariants,
    node_invariants,
    relative_positions,
    squared_lengths,
    with_topology,
)
from trainables.models.layers.perceptron import perceptron
from trainables.relaxation.representation import scalars, vectors


class EGNN(nn.Module):
    """Scalar messages between nodes, which move the nodes along the lines between them (eqs. 3-7).

    All samples of a data set have the same number of nodes, so a mean serves as well as a sum, and its scale is the
    same for 5 particles and 1000 points.

    Args:
        signature: "vectors" gives (nodes, 3), the displacement of each node; "scalars" gives (graphs, outputs), the
            mean over the nodes of a perceptron of their features.
        hidden, layers: Width and number of the message layers.
        num_neighbors: Number of senders of each node if the task provides no edges.
    """

    embedding_layers = ("embedding",)
    read_out_layers = ("read_out.2",)
    relax_default = ("layers.*.update",)
    relax_companion = "linear"

    def __init__(
        self,
        signature: Signature,
        *,
        hidden: Annotated[int, Field(ge=1)] = 64,
        layers: Annotated[int, Field(ge=1)] = 4,
        num_neighbors: Annotated[int, Field(ge=1)] = 16,
    ) -> None:
        super().__init__()
        check_num_neighbors(signature, num_neighbors, default=16)
        self.num_neighbors = num_neighbors
        self.embedding = nn.Linear(count_invariants(signature), hidden)
        self.layers = nn.ModuleList(
            EGNNLayer(hidden, signature.vectors, signature.edge_scalars + 1) for _ in range(layers)
        )
        self.read_out = (
            perceptron(hidden, hidden, signature.outputs) if signature.output == "scalars" else None
        )

    def forward(self, graph: Graph) -> Tensor:
        """(nodes, 3), the displacement of each node, or (graphs, outputs)."""
        graph, topology = with_topology(graph, self.num_neighbors)
        features = self.embedding(node_invariants(graph))
        positions = graph.positions
        distances = squared_lengths(relative_positions(positions, topology))
        by_receiver = graph.edge_scalars.unflatten(0, (topology.nodes, topology.num_senders))
        edge_features = torch.cat([by_receiver, distances], dim=-1)
        for layer in self.layers:
            features, moved = layer(features, positions, graph.vectors, edge_features, topology)
            positions = positions + moved
        if self.read_out is None:
            return positions - graph.positions
        return topology.mean_nodes(self.read_out(features))


class EGNNLayer(nn.Module):
    """Messages over the edges, then the update of the nodes.

    Edge tensors are (nodes, senders, ...), grouped by receiver, so that a sum over senders is a plain sum.
    """

    def __init__(self, hidden: int, node_vectors: int, edge_features: int) -> None:
        super().__init__()
        self.message = Message(hidden, 1 + edge_features)
        self.weigh_edge = nn.Linear(hidden, hidden)
        self.edge_weight = nn.Linear(hidden, 1, bias=False)
        # The coordinates would diverge in deep networks if the first steps were not small.
        nn.init.xavier_uniform_(self.edge_weight.weight, gain=0.001)
        self.update = Update(hidden, node_vectors)

    def forward(
        self,
        features: Tensor,
        positions: Tensor,
        node_vectors: Tensor,
        edge_features: Tensor,
        topology: Topology,
    ) -> tuple[Tensor, Tensor]:
        """New features (nodes, hidden) and displacements (nodes, 3).

        Args:
            features: (nodes, hidden).
            positions: (nodes, 3).
            node_vectors: (nodes, V, 3).
            edge_features: (nodes, senders, E).
        """
        differences = relative_positions(positions, topology)
        edge_features = torch.cat([squared_lengths(differences), edge_features], dim=-1)
        messages = self.message(features, edge_features, topology)
        # A product with a vector: far cheaper, forward and backward, than with a matrix of one row.
        weights = silu(self.weigh_edge(messages)) @ self.edge_weight.weight[0]
        pull = topology.sum_senders(differences * weights.unsqueeze(-1)) / topology.counts
        all_vectors = torch.cat([pull.unsqueeze(1), node_vectors], dim=1)
        features, moved = self.update(features, topology.sum_senders(messages), all_vectors.transpose(1, 2))
        return features, moved.squeeze(-1)


class Message(nn.Module):
    """A two-layer perceptron of receiver, sender and edge features (eq. 3).

    The first layer is linear in receiver and sender, so it runs on the nodes, before the gather.
    """

    def __init__(self, hidden: int, edge_features: int) -> None:
        super().__init__()
        self.first = nn.Linear(2 * hidden + edge_features, hidden)
        self.second = nn.Linear(hidden, hidden)

    def forward(self, features: Tensor, edge_features: Tensor, topology: Topology) -> Tensor:
        """(nodes, hidden), (nodes, senders, E) -> (nodes, senders, hidden)."""
        hidden = features.shape[1]
        of_nodes, of_edges = self.first.weight.tensor_split([2 * hidden], dim=1)
        of_receiver, of_sender = of_nodes.split(hidden, dim=1)
        first = linear(edge_features, of_edges)
        # In place: the gradient of a sum needs none of its terms.
        first += linear(features, of_sender).index_select(0, topology.senders).view_as(first)
        first += linear(features, of_receiver, self.first.bias).unsqueeze(1)
        return silu(self.second(silu(first)))


class Update(nn.Module):
    """The new features of a node and its displacement, from its own features and its messages (eqs. 4 and 6, 7).

    Takes features and summed messages (nodes, hidden), and vectors (nodes, 3, 1 + V): the pull of the
    messages, then the node's own vectors, which are weighted by a perceptron of its features.
    """

    def __init__(self, hidden: int, node_vectors: int) -> None:
        super().__init__()
        self.weigh_vectors = perceptron(hidden, hidden, node_vectors) if node_vectors else None
        self.features = perceptron(2 * hidden, hidden, hidden)
        self.representation_in = (scalars(hidden), scalars(hidden), vectors(1 + node_vectors))
        self.representation_out = (scalars(hidden), vectors(1))

    def forward(self, features: Tensor, messages: Tensor, node_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """-> new features (nodes, hidden) and displacements (nodes, 3, 1)."""
        moved = node_vectors[..., :1]
        if self.weigh_vectors is not None:
            weights = self.weigh_vectors(features).unsqueeze(1)
            moved = moved + (node_vectors[..., 1:] * weights).sum(-1, keepdim=True)
        return features + self.features(torch.cat([features, messages], dim=-1)), moved
