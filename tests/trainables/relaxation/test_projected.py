"""The projected model temporarily, and the relaxed one unchanged afterwards."""

import copy

import pytest
import torch
from torch import nn

from trainables.models.layers.vector_neuron import VectorLinear
from trainables.relaxation.project import project, projected
from trainables.relaxation.relax import relax


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize(
    "network", [VectorLinear(2, 2), nn.Sequential(VectorLinear(2, 3), VectorLinear(3, 1))]
)
def test_projected_matches_project_and_leaves_nothing_behind(network, fold):
    generator = torch.Generator().manual_seed(0)
    model = relax(copy.deepcopy(network), generator, init=0.5, show=None)
    x = torch.randn(4, 3, 2, generator=generator)
    before, state = model(x), {name: value.clone() for name, value in model.state_dict().items()}
    expected = project(copy.deepcopy(model), fold=fold)
    with projected(model, fold=fold) as strict:
        assert list(strict.state_dict()) == list(network.state_dict())
        assert torch.equal(strict(x), expected(x))
        assert not torch.allclose(strict(x), before)
        assert torch.allclose(strict(x), network(x)) != fold
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(model(x), before)
