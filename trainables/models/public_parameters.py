"""The place of each parameter of a public implementation in our networks.

Our parameters are joined (features and directions of a vector neuron in one matrix), split (the part that all
points of a cloud share) or cut into blocks (the flat weight of an e3nn tensor product), so a public parameter
is one or more views of our tensors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainables.models.egnn import EGNN
from trainables.models.layers.steerable import Product
from trainables.models.layers.vector_neuron import ContextVectorLinear, InvariantFrame
from trainables.models.segnn import SEGNN
from trainables.models.vn_dgcnn import VNDGCNN
from trainables.models.vn_pointnet import VNPointNet


@dataclass(frozen=True)
class Place:
    """A public parameter or buffer in one of our networks.

    Attributes:
        shape: Shape of the public tensor.
        parts: Views of our tensors that contain its entries, one part after the other along `axis`; if that
            is None, the parts are flattened first.
        optional: True for the statistics of batch-norms, which are 0 and 1 if the state lacks them.
    """

    shape: tuple[int, ...]
    parts: tuple[Tensor, ...]
    axis: int | None = None
    optional: bool = False

    @torch.no_grad()
    def fill(self, value: Tensor) -> None:
        """Write a public tensor of this shape into our network."""
        if self.axis is None:
            pieces = value.flatten().split([part.numel() for part in self.parts])
        else:
            pieces = value.split([part.shape[self.axis] for part in self.parts], self.axis)
        for part, piece in zip(self.parts, pieces, strict=True):
            part.copy_(piece.reshape(part.shape))


Places = Iterator[tuple[str, Place]]


def places_of(network: nn.Module) -> dict[str, Place]:
    """Each parameter name in the public code of an EGNN, SEGNN, VNPointNet or VNDGCNN, and its place."""
    of_network: dict[type[nn.Module], Callable[..., Places]] = {
        EGNN: _egnn,
        SEGNN: _segnn,
        VNPointNet: _vn_pointnet,
        VNDGCNN: _vn_dgcnn,
    }
    return dict(of_network[type(network)](network))


def _egnn(network: EGNN) -> Places:
    """vgsatorras/egnn, EGNN_vel."""
    yield from _linear("embedding", network.embedding)
    layer: Any  # a ModuleList does not know the type of its modules; likewise below
    for index, layer in enumerate(network.layers):
        name = f"gcl_{index}"
        yield from _linear(f"{name}.edge_mlp.0", layer.message.first)
        yield from _linear(f"{name}.edge_mlp.2", layer.message.second)
        yield from _linear(f"{name}.node_mlp.0", layer.update.features[0])
        yield from _linear(f"{name}.node_mlp.2", layer.update.features[2])
        yield from _linear(f"{name}.coord_mlp.0", layer.weigh_edge)
        yield from _linear(f"{name}.coord_mlp.2", layer.edge_weight)
        yield from _linear(f"{name}.coord_mlp_vel.0", layer.update.weigh_vectors[0])
        yield from _linear(f"{name}.coord_mlp_vel.2", layer.update.weigh_vectors[2])


def _segnn(network: SEGNN) -> Places:
    """RobDHess/Steerable-E3-GNN on the n-body task."""
    hidden = network.embedding.outputs[0]
    features = [("scalar", hidden), ("vector", hidden)]
    yield from _product("embedding_layer", network.embedding, [("vector", 2), ("scalar", 1)])
    layer: Any
    for index, layer in enumerate(network.layers):
        name = f"layers.{index}"
        edge = [*features, *features, ("scalar", 2)]
        yield from _product(f"{name}.message_layer_1", layer.message1, edge)
        yield from _product(f"{name}.message_layer_2", layer.message2, features)
        yield from _product(f"{name}.update_layer_1", layer.update1.product, [*features, *features])
        yield from _product(f"{name}.update_layer_2", layer.update2.product, features)
    yield from _product("pre_pool1", network.read_out1, features)
    yield from _product("pre_pool2", network.read_out2, features)


def _vn_pointnet(network: VNPointNet) -> Places:
    """FlyingGiraffe/vnn, classification with VN-PointNet."""
    yield from _vector_neuron("feat.conv_pos", network.edges)
    yield from _vector_neuron("feat.conv1", network.points)
    yield from _vector_neuron("feat.conv2", network.joint)
    yield "feat.conv3.map_to_feat.weight", _whole(network.widen.weight)
    yield from _batch_norm("feat.bn3.bn", network.norm.norm)
    yield from _frame("feat.std_feature", network.frame)
    for index, layer in enumerate(network.cloud.points):
        yield from _vector_neuron(f"feat.fstn.conv{index + 1}", layer)
    for index, layer in enumerate(network.cloud.pooled):
        yield from _vector_neuron(f"feat.fstn.fc{index + 1}", layer)
    yield "feat.fstn.fc3.map_to_feat.weight", _whole(network.cloud.last.weight)
    classifier: Any = network.classifier
    linear1, bn1, _, linear2, _, bn2, _, linear3 = classifier
    yield from _after_frame("fc1", linear1, pools=1)
    yield from _linear("fc2", linear2)
    yield from _linear("fc3", linear3)
    yield from _batch_norm("bn1", bn1)
    yield from _batch_norm("bn2", bn2)


def _vn_dgcnn(network: VNDGCNN) -> Places:
    """FlyingGiraffe/vnn, classification with VN-DGCNN."""
    for index, layer in enumerate([*network.edges, network.joint]):
        yield from _vector_neuron(f"conv{index + 1}", layer)
    yield from _frame("std_feature", network.frame)
    classifier: Any = network.classifier
    linear1, bn1, _, _, linear2, bn2, _, _, linear3 = classifier
    yield from _after_frame("linear1", linear1, pools=2)
    yield from _linear("linear2", linear2)
    yield from _linear("linear3", linear3)
    yield from _batch_norm("bn1", bn1)
    yield from _batch_norm("bn2", bn2)


def _whole(tensor: Tensor, optional: bool = False) -> Place:
    return Place(tuple(tensor.shape), (tensor.data,), optional=optional)


def _linear(name: str, layer: nn.Linear | nn.BatchNorm1d) -> Places:
    yield f"{name}.weight", _whole(layer.weight)
    if layer.bias is not None:
        yield f"{name}.bias", _whole(layer.bias)


def _batch_norm(name: str, layer: nn.BatchNorm1d) -> Places:
    yield from _linear(name, layer)
    for statistic in ("running_mean", "running_var", "num_batches_tracked"):
        yield f"{name}.{statistic}", _whole(getattr(layer, statistic), optional=True)


def _product(name: str, product: Product, inputs: list[tuple[str, int]]) -> Places:
    """The flat weight of e3nn's fully connected tensor product, path by path, each (inputs, 1, outputs).

    Args:
        inputs: The irreps of the features in order, as kind and number; each is multiplied by the harmonic of
            degree 0, which keeps its kind, then by that of degree 1, which changes it.
    """
    if product.outputs[0]:
        yield f"{name}.biases", _whole(product.bias)
    paths, taken = [], {"scalar": 0, "vector": 0}
    for kind, count in inputs:
        first, taken[kind] = taken[kind], taken[kind] + count
        for result in ("scalar", "vector") if kind == "scalar" else ("vector", "scalar"):
            if hasattr(product, f"{kind}_to_{result}"):
                weight = getattr(product, f"{kind}_to_{result}").data
                paths.append(weight[:, first : taken[kind]].T)
    yield f"{name}.tp.weight", Place((sum(path.numel() for path in paths),), tuple(paths))


def _vector_neuron(name: str, layer: Any) -> Places:
    """Features are the first rows of the joined matrix, directions the rest."""
    channels = layer.activation.norm.norm.num_features
    linear = layer.linear
    split = isinstance(linear, ContextVectorLinear)
    matrices = [linear.points.weight.data, linear.context.weight.data] if split else [linear.weight.data]
    for part, rows in (("feat", slice(channels)), ("dir", slice(channels, None))):
        blocks = tuple(matrix[rows] for matrix in matrices)
        shape = (len(blocks[0]), sum(block.shape[1] for block in blocks))
        yield f"{name}.map_to_{part}.weight", Place(shape, blocks, axis=1)
    yield from _batch_norm(f"{name}.batchnorm.bn", layer.activation.norm.norm)


def _frame(name: str, frame: InvariantFrame) -> Places:
    yield from _vector_neuron(f"{name}.vn1", frame.wide)
    yield from _vector_neuron(f"{name}.vn2", frame.narrow)
    yield f"{name}.vn_lin.weight", _whole(frame.frame.weight)


def _after_frame(name: str, layer: nn.Linear, pools: int) -> Places:
    """A map of `pools` sets of invariants (channels, frame) in public code, (frame, channels) here."""
    by_vector = layer.weight.data.unflatten(1, (pools, 3, -1)).transpose(2, 3)
    yield f"{name}.weight", Place(tuple(layer.weight.shape), (by_vector,))
    yield f"{name}.bias", _whole(layer.bias)
