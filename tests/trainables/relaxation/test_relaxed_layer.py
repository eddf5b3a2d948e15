import pytest
import torch

from trainables.models.layers.vector_edges import EdgeVectorLinear
from trainables.models.layers.vector_neuron import VectorLinear
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import JoinedMap


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", [VectorLinear, EdgeVectorLinear])
@pytest.mark.parametrize("trained_scale", [False, True])
def test_one_product_is_the_strict_map_and_the_companion_beside_it(kind, trained_scale):
    layer = relax(
        kind(4, 5).double(), torch.Generator().manual_seed(0), init=1.0, trained_scale=trained_scale
    )
    if not trained_scale:
        layer.set_strength(0.7)
    x = features(2, 6, 3, 4).requires_grad_()
    trained = [x, *layer.parameters()]

    def beside(x):
        strict = layer.strict(x)
        return strict + layer.scale * layer.companion(x.flatten(-2)).view_as(strict)

    torch.testing.assert_close(layer(x), beside(x))
    found, expected = (torch.autograd.grad(map_(x).sin().sum(), trained) for map_ in (layer, beside))
    torch.testing.assert_close(found, expected)


def test_the_joined_map_can_be_differentiated_twice():
    dense, scale, channel_map = features(6, 9), features(1).squeeze(), features(2, 3)
    for tensor in (dense, scale, channel_map):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(JoinedMap.apply, (dense, scale, channel_map))
    assert torch.autograd.gradgradcheck(JoinedMap.apply, (dense, scale, channel_map))
