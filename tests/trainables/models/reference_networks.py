"""The published networks as plain functions of a state dict with public names, written only for clarity.

They share no code with ours: edges of n-body graphs are all pairs, tensor products are e3nn's, and vector neurons
store the features of every edge.
"""

from functools import cache

import torch
from e3nn import nn as e3nn_nn
from e3nn import o3
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]
FLOOR = 1e-6
NUM_NEIGHBORS = 20


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def egnn(state: State, positions: Tensor, velocities: Tensor, charges: Tensor) -> Tensor:
    """positions, velocities (graphs, bodies, 3), charges (graphs, bodies, 1) -> displacements (graphs, bodies, 3)."""

    def perceptron(name: str, x: Tensor) -> Tensor:
        return linear(state, f"{name}.2", F.silu(linear(state, f"{name}.0", x)))

    graphs, bodies, _ = positions.shape
    others = 1 - torch.eye(bodies).unsqueeze(-1)
    x, h = positions, linear(state, "embedding", velocities.norm(dim=-1, keepdim=True))
    squares = (x[:, :, None] - x[:, None]).square().sum(-1, keepdim=True)
    edges = torch.cat([charges[:, :, None] * charges[:, None], squares], dim=-1)
    for layer in range(len({name.split(".")[0] for name in state if name.startswith("gcl_")})):
        name = f"gcl_{layer}"
        differences = x[:, :, None] - x[:, None]
        receivers = h[:, :, None].expand(graphs, bodies, bodies, -1)
        senders = h[:, None].expand(graphs, bodies, bodies, -1)
        squares = differences.square().sum(-1, keepdim=True)
        messages = F.silu(
            perceptron(f"{name}.edge_mlp", torch.cat([receivers, senders, squares, edges], dim=-1))
        )
        pull = (others * differences * perceptron(f"{name}.coord_mlp", messages)).sum(2) / (bodies - 1)
        x = x + pull + velocities * perceptron(f"{name}.coord_mlp_vel", h)
        received = (others * messages).sum(2)
        h = h + perceptron(f"{name}.node_mlp", torch.cat([h, received], dim=-1))
    return x - positions


@cache
def tensor_product(inputs: str, outputs: str) -> o3.FullyConnectedTensorProduct:
    return o3.FullyConnectedTensorProduct(
        inputs, "1x0e+1x1o", outputs, path_normalization="none", internal_weights=False, shared_weights=True
    )


@cache
def e3nn_gate(hidden: int) -> e3nn_nn.Gate:
    return e3nn_nn.Gate(f"{hidden}x0e", [F.silu], f"{hidden}x0e", [torch.sigmoid], f"{hidden}x1o")


def segnn(state: State, positions: Tensor, velocities: Tensor, charges: Tensor) -> Tensor:
    """positions, velocities (graphs, bodies, 3), charges (graphs, bodies, 1) -> displacements (graphs, bodies, 3)."""
    graphs, bodies, _ = positions.shape
    hidden = len(state["embedding_layer.biases"])
    features, gated = f"{hidden}x0e+{hidden}x1o", f"{2 * hidden}x0e+{hidden}x1o"

    def product(name: str, inputs: str, outputs: str, x: Tensor, attribute: Tensor) -> Tensor:
        x = tensor_product(inputs, outputs)(x, attribute, state[f"{name}.tp.weight"])
        if (biases := state.get(f"{name}.biases")) is not None:
            x = torch.cat([x[:, : len(biases)] + biases, x[:, len(biases) :]], dim=1)
        return e3nn_gate(hidden)(x) if outputs == gated else x

    def harmonics(vectors: Tensor) -> Tensor:
        return o3.spherical_harmonics([0, 1], vectors, normalize=True, normalization="integral")

    def sum_at_receivers(edges: Tensor) -> Tensor:
        return edges.new_zeros(graphs * bodies, edges.shape[1]).index_add(0, receivers, edges)

    pairs = [
        (graph * bodies + receiver, graph * bodies + sender)
        for graph in range(graphs)
        for receiver in range(bodies)
        for sender in range(bodies)
        if receiver != sender
    ]
    receivers, senders = torch.tensor(pairs).unbind(1)
    x, v, q = positions.flatten(0, 1), velocities.flatten(0, 1), charges.flatten(0, 1)
    towards = x[senders] - x[receivers]
    of_edges = harmonics(towards)
    of_nodes = sum_at_receivers(of_edges) / (bodies - 1) + harmonics(v)
    of_nodes[:, 0] = 1
    edges = torch.cat([towards.norm(dim=1, keepdim=True), q[receivers] * q[senders]], dim=1)
    centered = (positions - positions.mean(1, keepdim=True)).flatten(0, 1)
    h = torch.cat([centered, v, v.norm(dim=1, keepdim=True)], dim=1)
    h = product("embedding_layer", "2x1o+1x0e", features, h, of_nodes)
    for layer in range(len({name.split(".")[1] for name in state if name.startswith("layers.")})):
        name = f"layers.{layer}"
        messages = torch.cat([h[receivers], h[senders], edges], dim=1)
        messages = product(
            f"{name}.message_layer_1", f"{features}+{features}+2x0e", gated, messages, of_edges
        )
        messages = product(f"{name}.message_layer_2", features, gated, messages, of_edges)
        both = torch.cat([h, sum_at_receivers(messages)], dim=1)
        changed = product(f"{name}.update_layer_1", f"{features}+{features}", gated, both, of_nodes)
        h = h + product(f"{name}.update_layer_2", features, features, changed, of_nodes)
    h = product("pre_pool1", features, gated, h, of_nodes)
    return product("pre_pool2", features, "1x1o", h, of_nodes).view_as(positions)


def batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    """In evaluation mode, over the channels on axis 1."""
    zeros = torch.zeros(x.shape[1])
    mean, variance = (
        state.get(f"{name}.running_mean", zeros),
        state.get(f"{name}.running_var", torch.ones_like(zeros)),
    )
    return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])


def mix(weight: Tensor, x: Tensor) -> Tensor:
    """(outputs, channels), (clouds, channels, ...) -> (clouds, outputs, ...)"""
    return torch.einsum("oc,bc...->bo...", weight, x)


def norm_vectors(state: State, name: str, p: Tensor) -> Tensor:
    """Batch-norm of the lengths of (clouds, channels, 3, ...)."""
    length = p.norm(dim=2) + FLOOR
    return p * (batch_norm(state, name, length) / length).unsqueeze(2)


def vector_neuron(state: State, name: str, x: Tensor, slope: float) -> Tensor:
    """(clouds, channels, 3, ...) -> the same with other channels."""
    p = norm_vectors(state, f"{name}.batchnorm.bn", mix(state[f"{name}.map_to_feat.weight"], x))
    d = mix(state[f"{name}.map_to_dir.weight"], x)
    dots = (p * d).sum(2, keepdim=True)
    cut = p - dots / (d.square().sum(2, keepdim=True) + FLOOR) * d
    return slope * p + (1 - slope) * torch.where(dots >= 0, p, cut)


def neighbors(x: Tensor) -> tuple[Tensor, Tensor]:
    """The vectors of each point's neighbors, including itself, and its own repeated for each neighbor.

    (clouds, channels, 3, points) -> twice (clouds, channels, 3, points, neighbors)
    """
    points = x.flatten(1, 2).transpose(1, 2)
    nearest = torch.cdist(points, points).argsort(dim=-1)[..., :NUM_NEIGHBORS]
    others = torch.stack(
        [cloud[:, :, index] for cloud, index in zip(x.unbind(0), nearest.unbind(0), strict=True)]
    )
    return others, x.unsqueeze(-1).expand_as(others)


def beside_mean(x: Tensor) -> Tensor:
    return torch.cat([x, x.mean(-1, keepdim=True).expand_as(x)], dim=1)


def invariants(state: State, name: str, x: Tensor, slope: float) -> Tensor:
    """(clouds, channels, 3, points) -> (clouds, 3 * channels, points)"""
    frame = vector_neuron(state, f"{name}.vn2", vector_neuron(state, f"{name}.vn1", x, slope), slope)
    frame = mix(state[f"{name}.vn_lin.weight"], frame)
    return torch.einsum("bcvn,bfvn->bcfn", x, frame).flatten(1, 2)


def vn_pointnet(state: State, clouds: Tensor) -> Tensor:
    """(clouds, points, 3) -> log-probabilities (clouds, classes)"""
    others, centers = neighbors(clouds.transpose(1, 2).unsqueeze(1))
    cross = torch.linalg.cross(others, centers, dim=2)
    x = torch.cat([others - centers, centers, cross], dim=1)
    x = vector_neuron(state, "feat.conv_pos", x, 0).mean(-1)
    x = vector_neuron(state, "feat.conv1", x, 0)
    cloud = x
    for layer in ("conv1", "conv2", "conv3"):
        cloud = vector_neuron(state, f"feat.fstn.{layer}", cloud, 0)
    cloud = cloud.mean(-1)
    for layer in ("fc1", "fc2"):
        cloud = vector_neuron(state, f"feat.fstn.{layer}", cloud, 0)
    cloud = mix(state["feat.fstn.fc3.map_to_feat.weight"], cloud).unsqueeze(-1).expand_as(x)
    x = vector_neuron(state, "feat.conv2", torch.cat([x, cloud], dim=1), 0)
    x = norm_vectors(state, "feat.bn3.bn", mix(state["feat.conv3.map_to_feat.weight"], x))
    x = invariants(state, "feat.std_feature", beside_mean(x), 0).amax(-1)
    x = batch_norm(state, "bn1", linear(state, "fc1", x)).relu()
    x = batch_norm(state, "bn2", linear(state, "fc2", x)).relu()
    return linear(state, "fc3", x).log_softmax(-1)


def vn_dgcnn(state: State, clouds: Tensor) -> Tensor:
    """(clouds, points, 3) -> logits (clouds, classes)"""
    slope = 0.2
    x, layers = clouds.transpose(1, 2).unsqueeze(1), []
    for layer in ("conv1", "conv2", "conv3", "conv4"):
        others, centers = neighbors(x)
        edges = torch.cat([others - centers, centers], dim=1)
        x = vector_neuron(state, layer, edges, slope).mean(-1)
        layers.append(x)
    x = vector_neuron(state, "conv5", torch.cat(layers, dim=1), slope)
    x = invariants(state, "std_feature", beside_mean(x), slope)
    x = torch.cat([x.amax(-1), x.mean(-1)], dim=1)
    x = F.leaky_relu(batch_norm(state, "bn1", linear(state, "linear1", x)), slope)
    x = F.leaky_relu(batch_norm(state, "bn2", linear(state, "linear2", x)), slope)
    return linear(state, "linear3", x)
