import torch
from torch import nn

from trainables.methods.unconstrained import Unconstrained
from trainables.models.layers.vector_neuron import VectorLinear


def network():
    torch.manual_seed(0)
    return nn.Sequential(VectorLinear(2, 1))


def test_the_companion_has_full_weight_and_stays():
    method = Unconstrained(init=0.5)
    assert not method.delivers_strict
    model = method.relax(network(), torch.Generator().manual_seed(0))
    method.begin_step(model, 7, 10)
    x = torch.randn(4, 3, 2)
    expected = network()(x) + model[0].companion(x.flatten(1)).view(4, 3, 1)
    torch.testing.assert_close(model(x), expected)
    assert method.projection_step(10) == 10
    assert method.project(model) is model
    assert method.penalty(model) is None
    assert method.measures(model) == {"theta": 1.0}
    assert [tuple(parameter.shape) for parameter in method.companion_parameters(model)] == [(3, 6)]


def test_augmentation_by_rotations():
    matrices = Unconstrained().augmentation(50, torch.Generator().manual_seed(0))
    identity = torch.eye(3, dtype=matrices.dtype).expand(50, 3, 3)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), identity)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(50, dtype=matrices.dtype))
    assert matrices.mean(0).abs().max() < 0.3


def test_augmentation_with_inversion_on_half_of_the_graphs():
    matrices = Unconstrained(inversion=True).augmentation(400, torch.Generator().manual_seed(0))
    assert 150 < (torch.linalg.det(matrices) < 0).sum() < 250


def test_augmentation_is_decided_by_the_generator():
    draws = [Unconstrained().augmentation(3, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*draws)
