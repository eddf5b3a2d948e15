import pytest
import torch
from e3nn import o3
from torch import nn

from trainables.errors import BadInput
from trainables.graph import Signature
from trainables.registry import build
from trainables.relaxation.relax import relax
from trainables.training.matrices import hidden_matrices

NBODY = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")
CLOUDS = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=5)


def hidden_of(model):
    """The shapes of the hidden matrices by the name of their parameter."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for matrix in hidden_matrices(model):
        found.setdefault(names[id(matrix.parameter)], []).append(matrix.shape)
    return found


def radial(prefix, outputs):
    return {
        f"{prefix}.0.weight": [(5, 4)],
        f"{prefix}.2.weight": [(5, 5)],
        f"{prefix}.4.weight": [(outputs, 5)],
    }


SQUARE = [(4, 4)]

HIDDEN = {
    "egnn": (
        {"hidden": 8, "layers": 1},
        NBODY,
        {
            "layers.0.message.first.weight": [(8, 19)],
            "layers.0.message.second.weight": [(8, 8)],
            "layers.0.weigh_edge.weight": [(8, 8)],
            "layers.0.update.weigh_vectors.0.weight": [(8, 8)],
            "layers.0.update.features.0.weight": [(8, 16)],
            "layers.0.update.features.2.weight": [(8, 8)],
        },
    ),
    "segnn": (
        {"hidden": 4, "layers": 1},
        NBODY,
        {
            f"{layer}.{path}": [shape]
            for layer, shapes in {
                "layers.0.message1": [(8, 10), (8, 8), (4, 10), (4, 8)],
                "layers.0.message2": [(8, 4), (8, 4), (4, 4), (4, 4)],
                "layers.0.update1.product": [(8, 8), (8, 8), (4, 8), (4, 8)],
                "layers.0.update2.product": [(4, 4), (4, 4), (4, 4), (4, 4)],
                "read_out1": [(8, 4), (8, 4), (4, 4), (4, 4)],
            }.items()
            for path, shape in zip(
                ("scalar_to_scalar", "vector_to_scalar", "scalar_to_vector", "vector_to_vector"),
                shapes,
                strict=True,
            )
        },
    ),
    "se3_transformer": (
        {"channels": 4, "layers": 1, "degree": 1, "radial": 3, "radial_hidden": 5},
        NBODY,
        {
            "layers.0.receive.keys.sender.weight": 2 * SQUARE,
            **radial("layers.0.receive.keys.radial", 16),
            "layers.0.receive.values.sender.weight": 2 * SQUARE,
            **radial("layers.0.receive.values.radial", 16),
            "layers.0.receive.queries.0": 2 * SQUARE,
            "layers.0.receive.queries.1": 2 * SQUARE,
            "layers.0.receive.output.weights.0": 2 * SQUARE,
            "layers.0.receive.output.weights.1": 2 * SQUARE,
            "layers.0.update.mix.weight": [(8, 4), (8, 4)],
            "layers.0.update.gates.linear.weight": [(8, 8)],
            "layers.0.update.project.weight": 2 * SQUARE,
        },
    ),
    "equiformer": (
        {"channels": 4, "layers": 1, "degree": 1, "radial": 3, "radial_hidden": 5, "logits": 2},
        NBODY,
        {
            **radial("embedding.edges", 8),
            "blocks.0.attention.receiver.weight": 2 * SQUARE,
            "blocks.0.attention.sender.weight": 2 * SQUARE,
            "blocks.0.attention.message.weights.0": [(4, 16), (4, 16)],
            "blocks.0.attention.message.weights.1": 2 * SQUARE,
            **radial("blocks.0.attention.radial", 16),
            "blocks.0.attention.project.weights.0": 2 * SQUARE,
            "blocks.0.attention.project.weights.1": 2 * SQUARE,
            "blocks.0.feed_forward.expand.weight": [(4, 12), (4, 12)],
            "blocks.0.feed_forward.gates.weight": [(12, 4)],
            "blocks.0.feed_forward.contract.weight": [(12, 4), (12, 4)],
            "head.0.weight": SQUARE,
        },
    ),
    "vn_pointnet": (
        {"width": 0.15},
        CLOUDS,
        {
            "points.linear.weight": [(6, 3)],
            "cloud.points.0.linear.weight": [(6, 3)],
            "cloud.points.1.linear.weight": [(12, 3)],
            "cloud.points.2.linear.weight": [(102, 6)],
            "cloud.pooled.0.linear.weight": [(50, 51)],
            "cloud.pooled.1.linear.weight": [(24, 25)],
            "cloud.last.weight": [(3, 12)],
            "joint.linear.points.weight": [(12, 3)],
            "joint.linear.context.weight": [(12, 3)],
            "widen.weight": [(51, 6)],
            "frame.wide.linear.points.weight": [(102, 51)],
            "frame.wide.linear.context.weight": [(102, 51)],
            "frame.narrow.linear.weight": [(50, 51)],
            "frame.frame.weight": [(3, 25)],
            "classifier.0.weight": [(76, 306)],
            "classifier.3.weight": [(38, 76)],
        },
    ),
    "vn_dgcnn": (
        {"width": 0.15},
        CLOUDS,
        {
            "edges.1.linear.weight": [(6, 6)],
            "edges.2.linear.weight": [(12, 6)],
            "edges.3.linear.weight": [(24, 12)],
            "joint.linear.weight": [(52, 24)],
            "frame.wide.linear.points.weight": [(102, 51)],
            "frame.wide.linear.context.weight": [(102, 51)],
            "frame.narrow.linear.weight": [(50, 51)],
            "frame.frame.weight": [(3, 25)],
            "classifier.0.weight": [(76, 612)],
            "classifier.4.weight": [(38, 76)],
        },
    ),
}
"""For each network its options, its signature, and the matrices of its hidden layers. AdamW gets all else: biases,
the gains of norms, embeddings, read-outs, attention's alignment, and maps to or from a single channel."""


@pytest.mark.parametrize("name", HIDDEN)
def test_the_hidden_matrices_of_our_networks(name):
    options, signature, expected = HIDDEN[name]
    assert hidden_of(build("model", {"name": name, **options}, signature)) == expected


@pytest.mark.parametrize("name", HIDDEN)
def test_relaxing_changes_no_matrix_of_the_strict_network_and_adds_those_of_companions(name):
    options, signature, expected = HIDDEN[name]
    model = relax(build("model", {"name": name, **options}, signature), show=None)
    found = hidden_of(model)
    strict = {key.replace(".strict", ""): shapes for key, shapes in found.items() if ".companion" not in key}
    assert strict == expected
    assert len(found) > len(strict)


class UsersNetwork(nn.Module):
    """An e3nn network with every kind of layer that has weights."""

    def __init__(self):
        super().__init__()
        self.embed = o3.Linear("3x0e", "8x0e+4x1o")
        self.mix = o3.Linear("8x0e+4x1o", "6x0e+5x1o")
        self.full = o3.FullyConnectedTensorProduct("6x0e+5x1o", "1x0e+1x1o", "6x0e+5x1o")
        self.depthwise = o3.TensorProduct(
            "6x0e+5x1o", "1x0e+1x1o", "6x0e+7x1o", [(0, 0, 0, "uvu", True), (1, 0, 1, "uvw", True)]
        )
        self.outside = o3.FullyConnectedTensorProduct("6x0e+7x1o", "1x0e", "5x0e", internal_weights=False)
        self.radial = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, self.outside.weight_numel))
        self.scalars = nn.Linear(5, 4)


def test_the_hidden_matrices_of_a_users_e3nn_network():
    assert hidden_of(UsersNetwork()) == {
        "mix.weight": [(8, 6), (4, 5)],
        "full.weight": [(6, 6), (6, 5), (5, 5), (5, 6)],
        "depthwise.weight": [(5, 7)],
        "radial.0.weight": [(8, 4)],
        "radial.2.weight": [(30, 8)],
    }


def test_a_slice_matches_e3nns_view_of_its_flat_weight():
    model = UsersNetwork()
    (first, second), views = hidden_matrices(model)[:2], list(model.mix.weight_views())
    assert torch.equal(first.of(model.mix.weight), views[0])
    assert torch.equal(second.of(model.mix.weight), views[1])
    gradient = torch.arange(68.0)
    assert torch.equal(second.of(gradient), gradient[48:].view(4, 5))


def test_a_class_may_name_its_embeddings_and_read_outs():
    class Named(UsersNetwork):
        embedding_layers = ("embed", "mix")
        read_out_layers = ()

    assert set(hidden_of(Named())) == {
        "full.weight", "depthwise.weight", "radial.0.weight", "radial.2.weight", "scalars.weight",
    }  # fmt: skip


class Tall(nn.Module):
    """A user-defined layer: two matrices in one parameter, one of them transposed, and a gain with two axes."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(24.0).view(2, 3, 4))
        self.gain = nn.Parameter(torch.ones(2, 4))

    def matrices(self):
        return [self.weight[0], self.weight[1].T]


def test_a_users_layer_declares_its_matrices():
    layer = Tall()
    model = nn.Sequential(nn.Linear(2, 2), layer, nn.Linear(2, 2))
    assert hidden_of(model) == {"1.weight": [(3, 4), (4, 3)]}
    _, transposed = hidden_matrices(model)
    assert torch.equal(transposed.of(layer.weight), layer.weight[1].T)


def test_of_nested_layers_the_outermost_counts_and_shared_parameters_count_once():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def matrices(self):
            return list(self.inner.weight.split(2))

    outer = Outer()
    model = nn.Sequential(nn.Linear(2, 2), outer, outer.inner, nn.Linear(2, 2))
    assert hidden_of(model) == {"1.inner.weight": [(2, 4), (2, 4)]}


def test_a_submodule_that_happens_to_be_called_matrices_is_no_declaration():
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrices = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))

    assert hidden_of(Mixture()) == {"matrices.1.weight": [(3, 3)]}


@pytest.mark.parametrize("wrong", [lambda layer: layer.weight.clone()[0], lambda layer: layer.weight])
def test_a_declaration_of_something_else_names_the_layer(wrong):
    class Wrong(Tall):
        def matrices(self):
            return [wrong(self)]

    with pytest.raises(BadInput, match=r"layer '1': matrices\(\) must return two-dimensional views"):
        hidden_matrices(nn.Sequential(nn.Linear(2, 2), Wrong()))
