"""EGNN and SEGNN as one would first write them: all inputs gathered on the edges, e3nn's products on irreps as
they come from concatenation, sums by scatter. Same functions and parameter counts as ours, for comparison."""

import torch
from e3nn import nn as e3nn_nn
from e3nn import o3
from torch import Tensor, nn

from trainables.graph import Graph


def receivers_of(graph: Graph) -> Tensor:
    return torch.arange(len(graph.topology.senders)) // graph.topology.num_senders


def scatter_sum(values: Tensor, index: Tensor, rows: int) -> Tensor:
    return values.new_zeros(rows, values.shape[1]).index_add(0, index, values)


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class PlainEGNN(nn.Module):
    def __init__(self, hidden: int = 64, layers: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Linear(1, hidden)
        self.layers = nn.ModuleList(PlainEGNNLayer(hidden) for _ in range(layers))

    def forward(self, graph: Graph) -> Tensor:
        receivers, senders = receivers_of(graph), graph.topology.senders
        velocities, positions = graph.vectors[:, 0], graph.positions
        features = self.embedding(velocities.norm(dim=1, keepdim=True))
        squares = (positions[receivers] - positions[senders]).square().sum(1, keepdim=True)
        edge_features = torch.cat([graph.edge_scalars, squares], dim=1)
        for layer in self.layers:
            features, positions = layer(features, positions, velocities, edge_features, receivers, senders)
        return positions - graph.positions


class PlainEGNNLayer(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.message = nn.Sequential(perceptron(2 * hidden + 3, hidden, hidden), nn.SiLU())
        self.edge_weight = nn.Sequential(
            nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1, bias=False)
        )
        self.velocity_weight = perceptron(hidden, hidden, 1)
        self.node = perceptron(2 * hidden, hidden, hidden)

    def forward(self, features, positions, velocities, edge_features, receivers, senders):
        differences = positions[receivers] - positions[senders]
        squares = differences.square().sum(1, keepdim=True)
        inputs = torch.cat([features[receivers], features[senders], squares, edge_features], dim=1)
        messages = self.message(inputs)
        pull = scatter_sum(differences * self.edge_weight(messages), receivers, len(positions))
        count = scatter_sum(torch.ones_like(differences), receivers, len(positions))
        positions = positions + pull / count + velocities * self.velocity_weight(features)
        received = scatter_sum(messages, receivers, len(features))
        return features + self.node(torch.cat([features, received], dim=1)), positions


class PlainSEGNN(nn.Module):
    def __init__(self, hidden: int = 32, layers: int = 4) -> None:
        super().__init__()
        self.hidden = o3.Irreps(f"{hidden}x0e+{hidden}x1o")
        self.embedding = PlainProduct("1x1o+1x1o+1x0e", self.hidden)
        self.layers = nn.ModuleList(PlainSEGNNLayer(self.hidden) for _ in range(layers))
        self.read_out1 = PlainGatedProduct(self.hidden, self.hidden)
        self.read_out2 = PlainProduct(self.hidden, "1x1o")

    def forward(self, graph: Graph) -> Tensor:
        receivers, senders = receivers_of(graph), graph.topology.senders
        positions, velocities = graph.positions, graph.vectors[:, 0]
        differences = positions[senders] - positions[receivers]
        of_edges = o3.spherical_harmonics([0, 1], differences, normalize=True, normalization="integral")
        of_velocities = o3.spherical_harmonics([0, 1], velocities, normalize=True, normalization="integral")
        of_nodes = (
            scatter_sum(of_edges, receivers, len(positions)) / graph.topology.num_senders + of_velocities
        )
        of_nodes[:, 0] = 1
        edge_scalars = torch.cat([differences.norm(dim=1, keepdim=True), graph.edge_scalars], dim=1)
        by_graph = positions.unflatten(0, (graph.graphs, -1))
        centered = (by_graph - by_graph.mean(1, keepdim=True)).flatten(0, 1)
        inputs = torch.cat([centered, velocities, velocities.norm(dim=1, keepdim=True)], dim=1)
        x = self.embedding(inputs, of_nodes)
        for layer in self.layers:
            x = layer(x, edge_scalars, of_edges, of_nodes, receivers, senders)
        return self.read_out2(self.read_out1(x, of_nodes), of_nodes)


class PlainSEGNNLayer(nn.Module):
    def __init__(self, hidden: o3.Irreps) -> None:
        super().__init__()
        self.message1 = PlainGatedProduct(hidden + hidden + o3.Irreps("2x0e"), hidden)
        self.message2 = PlainGatedProduct(hidden, hidden)
        self.update1 = PlainGatedProduct(hidden + hidden, hidden)
        self.update2 = PlainProduct(hidden, hidden)

    def forward(self, x, edge_scalars, of_edges, of_nodes, receivers, senders):
        messages = self.message1(torch.cat([x[receivers], x[senders], edge_scalars], dim=1), of_edges)
        messages = self.message2(messages, of_edges)
        received = scatter_sum(messages, receivers, len(x))
        changed = self.update1(torch.cat([x, received], dim=1), of_nodes)
        return x + self.update2(changed, of_nodes)


class PlainProduct(nn.Module):
    def __init__(self, inputs: o3.Irreps | str, outputs: o3.Irreps | str) -> None:
        super().__init__()
        self.product = o3.FullyConnectedTensorProduct(inputs, "1x0e+1x1o", outputs)
        self.scalars = o3.Irreps(outputs).count("0e")
        self.bias = nn.Parameter(torch.zeros(self.scalars)) if self.scalars else None

    def forward(self, x, attribute):
        x = self.product(x, attribute)
        if self.bias is None:
            return x
        return torch.cat([x[:, : self.scalars] + self.bias, x[:, self.scalars :]], dim=1)


class PlainGatedProduct(nn.Module):
    def __init__(self, inputs: o3.Irreps, outputs: o3.Irreps) -> None:
        super().__init__()
        scalars, vectors = outputs.count("0e"), outputs.count("1o")
        self.gate = e3nn_nn.Gate(
            f"{scalars}x0e", [nn.functional.silu], f"{vectors}x0e", [torch.sigmoid], f"{vectors}x1o"
        )
        self.product = PlainProduct(inputs, self.gate.irreps_in)

    def forward(self, x, attribute):
        return self.gate(self.product(x, attribute))
