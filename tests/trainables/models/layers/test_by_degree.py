"""Layers with a channel count for each degree, compared with e3nn's and with how they must transform."""

import pytest
import torch
from e3nn import nn as e3nn_nn
from e3nn import o3
from torch import Tensor

from trainables.models.layers.by_degree import (
    ByDegreeLinear,
    ByDegreeNorm,
    DepthwiseLinear,
    Features,
    by_path,
    gate,
    gated,
    widths,
)
from trainables.models.layers.depthwise import Couplings, coupling_paths

CHANNELS = [4, 3, 2]
EDGES = 7


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def random_features(channels: list[int]) -> Features:
    return tuple(torch.randn(EDGES, 2 * degree + 1, count) for degree, count in enumerate(channels))


def e3nn_order(x: Features) -> Tensor:
    """(n, 2l+1, channels[l]) of each degree -> (n, all) with the components of a channel side by side."""
    return torch.cat([part.transpose(1, 2).flatten(1) for part in x], dim=1)


def e3nn_irreps(channels: list[int], inversion: bool) -> o3.Irreps:
    return o3.Irreps([(n, (degree, (-1) ** degree if inversion else 1)) for degree, n in enumerate(channels)])


@pytest.mark.parametrize("inversion", [True, False])
def test_products_match_e3nns(inversion):
    """e3nn's product of channel with harmonic, path by path, in the order in which the widths count them."""
    layer = DepthwiseLinear(CHANNELS, [5, 3, 2], inversion)
    x, directions = random_features(CHANNELS), torch.randn(EDGES, 3)
    found = layer(x, by_path(Couplings(2, inversion)(directions)[1], 2, inversion), torch.empty(EDGES, 0))

    harmonics = o3.spherical_harmonics([0, 1, 2], directions, True, normalization="component")
    paths = coupling_paths(2, inversion)
    outputs = [(CHANNELS[before], degree) for degree, of_out in enumerate(paths) for before, _ in of_out]
    instructions = [
        (before, harmonic, index, "uvu", True)
        for index, (before, harmonic) in enumerate(pair for of_out in paths for pair in of_out)
    ]
    product = o3.TensorProduct(
        e3nn_irreps(CHANNELS, inversion),
        e3nn_irreps([1, 1, 1], inversion),
        [(n, (degree, (-1) ** degree if inversion else 1)) for n, degree in outputs],
        instructions,
        irrep_normalization="component",
        path_normalization="none",
        internal_weights=False,
        shared_weights=True,
    )
    products = product(e3nn_order(x), harmonics, layer.shared)
    blocks = products.split([n * (2 * degree + 1) for n, degree in outputs], dim=1)
    for degree, part in enumerate(found):
        of_degree = [
            block.unflatten(1, (n, -1))
            for block, (n, other) in zip(blocks, outputs, strict=True)
            if other == degree
        ]
        expected = torch.cat(of_degree, dim=1).transpose(1, 2) @ layer.mix.weights[degree]
        torch.testing.assert_close(part, expected, rtol=0, atol=1e-12)
    assert widths(CHANNELS, inversion) == layer.widths


def test_gate_matches_e3nns():
    x = random_features(gated(CHANNELS))
    silu, sigmoid = torch.nn.functional.silu, torch.sigmoid
    expected = e3nn_nn.Gate("4x0e", [silu], "5x0e", [sigmoid], "3x1o+2x2e")(e3nn_order(x))
    torch.testing.assert_close(e3nn_order(gate(x)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", [ByDegreeLinear(CHANNELS, [5, 2, 6], True), ByDegreeNorm(CHANNELS)])
def test_layers_commute_with_rotations(layer):
    layer = layer.double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    matrix = o3.rand_matrix()

    def turned(x: Features) -> Features:
        return tuple(o3.Irrep(d, 1).D_from_matrix(matrix) @ part for d, part in enumerate(x))

    x = random_features(CHANNELS)
    apply = layer if isinstance(layer, ByDegreeNorm) else lambda x: layer(*x)
    for found, expected in zip(apply(turned(x)), turned(apply(x)), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-8)


def test_norm_gives_each_degree_unit_size():
    scalars, *others = ByDegreeNorm(CHANNELS)(tuple(3 + 5 * part for part in random_features(CHANNELS)))
    torch.testing.assert_close(scalars.mean((1, 2)), torch.zeros(EDGES), rtol=0, atol=1e-12)
    for part in (scalars, *others):
        torch.testing.assert_close(part.square().mean((1, 2)), torch.ones(EDGES), rtol=1e-3, atol=0)


def test_higher_degrees_may_be_dropped():
    (scalars,) = ByDegreeLinear(CHANNELS, [6], True)(*random_features(CHANNELS))
    assert scalars.shape == (EDGES, 1, 6)
