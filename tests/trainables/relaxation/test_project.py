"""Projection: only the strict network remains, and running statistics restart."""

import copy

import pytest
import torch
from e3nn import nn as enn
from e3nn import o3
from torch import nn
from users_network import UsersNetwork, error_of, generator, inputs

from trainables.models.layers.depthwise import DegreeLinear
from trainables.models.layers.vector_edges import EdgeVectorLinear
from trainables.models.layers.vector_neuron import VectorLinear
from trainables.relaxation.action import project_on_commutant
from trainables.relaxation.project import can_fold, project, reset_statistics
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import relaxed_layers

pytestmark = pytest.mark.usefixtures("float64")


def train(network, steps=100):
    positions, features = inputs()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(positions, features) - positions.flip(-1) ** 2).square().mean().backward()
        optimizer.step()


def test_a_users_e3nn_network_is_relaxed_trained_and_projected():
    network = UsersNetwork()
    keys, classes = list(network.state_dict()), [type(module) for module in network.modules()]
    network = relax(network, generator(), init=0.1)
    assert set(relaxed_layers(network)) == {"embed", "mix", "product", "read_out"}
    assert error_of(network) > 1e-2
    train(network)
    assert error_of(network) > 1e-2
    network = project(network)
    assert error_of(network) < 1e-10
    assert list(network.state_dict()) == keys
    assert [type(module) for module in network.modules()] == classes


def make_companions_equivariant(network):
    for layer in relaxed_layers(network).values():
        layer.scale.fill_(0.7)
        layer.companion.weight = nn.Parameter(
            project_on_commutant(layer.inputs, layer.outputs, layer.companion.weight.detach())
        )


def test_folding_exactly_equivariant_companions_changes_nothing():
    network = relax(UsersNetwork(), generator(), layers=["mix", "read_out"], init=1.0)
    make_companions_equivariant(network)
    relaxed = network(*inputs())
    dropped = project(copy.deepcopy(network))(*inputs())
    folded = project(network, fold=True)(*inputs())
    assert (dropped - relaxed).norm() > 1e-2 * relaxed.norm()
    torch.testing.assert_close(folded, relaxed, rtol=1e-12, atol=1e-12)


def test_only_linear_layers_with_their_own_weights_can_fold_and_only_linear_companions():
    relaxed = relaxed_layers(relax(UsersNetwork(), generator()))
    assert {name for name, layer in relaxed.items() if can_fold(layer)} == {"mix", "read_out"}
    shared = o3.Linear("2x1o", "2x1o", internal_weights=False, shared_weights=False)
    assert not any(map(can_fold, relaxed_layers(relax(nn.Sequential(shared), generator())).values()))
    network = relax(UsersNetwork(), generator(), companion="mlp")
    assert not any(map(can_fold, relaxed_layers(network).values()))


def test_folding_keeps_the_network_exactly_equivariant():
    network = relax(UsersNetwork(), generator(), init=1.0)
    assert error_of(project(network, fold=True)) < 1e-10


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((VectorLinear(3, 5), VectorLinear(5, 2)), (4, 3, 3)),
        ((EdgeVectorLinear(3, 5), VectorLinear(10, 2)), (4, 3, 3)),
        ((DegreeLinear(3, 5, 2), DegreeLinear(5, 2, 2)), (4, 9, 3)),
    ],
)
def test_folding_layers_that_map_the_channels_of_each_degree(layers, shape):
    network = relax(nn.Sequential(*layers).double(), generator(), init=1.0)
    make_companions_equivariant(network)
    x = torch.randn(shape)
    relaxed = network(x)
    torch.testing.assert_close(project(network, fold=True)(x), relaxed, rtol=1e-12, atol=1e-12)


def test_statistics_after_a_reset_come_from_later_batches_only():
    norm = nn.BatchNorm1d(2)
    norm(torch.randn(50, 2) + 100)
    reset_statistics(nn.Sequential(norm))
    batches = torch.randn(3, 50, 2)
    for batch in batches:
        norm(batch)
    torch.testing.assert_close(norm.running_mean, batches.mean((0, 1)))
    torch.testing.assert_close(norm.running_var, batches.var(1).mean(0))


@pytest.mark.parametrize("make", [enn.BatchNorm, lambda irreps: RunningScale()], ids=["e3nn", "own"])
def test_running_statistics_of_other_norms_restart(make):
    norm = make("2x0e+1x1o")
    fresh = copy.deepcopy(norm.state_dict())
    for _ in range(3):
        norm(5 + torch.randn(64, 5))
    assert any(not torch.equal(norm.state_dict()[name], value) for name, value in fresh.items())
    reset_statistics(nn.Sequential(norm))
    for name, value in fresh.items():
        assert torch.equal(norm.state_dict()[name], value)
    norm(torch.randn(64, 5))


class RunningScale(nn.Module):
    """A user-defined norm."""

    def __init__(self):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(5))
        self.register_buffer("running_scale", torch.ones(5))

    def forward(self, x):
        self.running_mean.lerp_(x.mean(0), 0.1)
        self.running_scale.lerp_(x.std(0), 0.1)
        return x / self.running_scale


def test_an_unused_buffer_of_statistics_is_left_alone():
    norm = enn.BatchNorm("2x0e", instance=True)  # its running statistics are None
    reset_statistics(nn.Sequential(norm))
    assert norm.running_mean is None
