import pytest
import torch
from e3nn import o3

from trainables.models.layers.vector_edges import EdgeVectorLinear
from trainables.models.layers.vector_neuron import VectorLinear
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import JoinedMap
from trainables.relaxation.representation import scalars, vectors


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", [VectorLinear, EdgeVectorLinear])
@pytest.mark.parametrize("trained_scale", [False, True])
def test_one_product_equals_the_strict_map_plus_the_companion(kind, trained_scale):
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


def product():
    layer = o3.FullyConnectedTensorProduct("2x1o", "1x0e+1x1o", "3x1o", internal_weights=False)
    relaxed = relax(layer.double(), torch.Generator().manual_seed(0), init=1.0, show=None)
    relaxed.set_strength(0.7)
    return relaxed, features(layer.weight_numel)


def test_e3nn_layers_take_their_inputs_by_keyword():
    layer, weight = product()
    x, y = features(5, 6), features(5, 4)
    expected = layer.strict(x, y, weight) + 0.7 * layer.companion(x)
    for found in (layer(x=x, y=y, weight=weight), layer(x, y=y, weight=weight), layer(x, y, weight)):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape_x", [(1, 6), (5, 1, 6), (6,), (5, 4, 6)])
def test_the_companions_output_broadcasts_like_that_of_the_strict_layer(shape_x):
    layer, weight = product()
    x, y = features(*shape_x), features(5, 4, 4)
    found = layer(x, y, weight)
    full = x.expand(5, 4, 6)
    torch.testing.assert_close(found, layer.strict(full, y, weight) + 0.7 * layer.companion(full))


def test_inputs_of_several_representations_broadcast_against_each_other():
    class Sum(torch.nn.Module):
        representation_in = (scalars(2), vectors(1))
        representation_out = vectors(1)

        def forward(self, x, v):
            return x.sum(-1)[..., None, None] * v

    layer = relax(Sum(), torch.Generator().manual_seed(0), init=1.0, show=None).double()
    x, v = features(1, 2), features(4, 3, 1)
    torch.testing.assert_close(layer(x, v), layer(x.expand(4, 2), v))


def test_a_missing_input_is_named():
    with pytest.raises(ValueError, match=r"layer '': input 0 of 1 is missing"):
        product()[0](y=features(5, 4))
