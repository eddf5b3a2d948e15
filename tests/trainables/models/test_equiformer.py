"""The layers of Equiformer against e3nn, and the declarations that relaxation relies on."""

from dataclasses import replace

import pytest
import torch
from contract import random_graph, relative_difference
from e3nn import o3

from trainables.errors import BadInput
from trainables.graph import Signature, complete_topology
from trainables.models.equiformer import Equiformer, FeedForward, GraphAttention
from trainables.models.equiformer_choice import equiformer
from trainables.models.layers.depthwise import (
    Couplings,
    DegreeLinear,
    DegreeNorm,
    PathLinear,
    coupling_paths,
    degree_features,
)
from trainables.relaxation.project import project
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import relaxed_layers

MOLECULE = Signature(scalars=4, vectors=0, edge_scalars=0, output="scalars")
CHANNELS = 4
WIGNER = 1e-9  # e3nn first derives angles from the matrix, which loses half of the digits near the poles


@pytest.fixture(autouse=True)
def _float64():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def rotated(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """(n, components, channels) under e3nn's Wigner matrices of degree features."""
    largest = round(x.shape[1] ** 0.5) - 1
    components = o3.Irreps([(1, (degree, (-1) ** degree)) for degree in range(largest + 1)])
    return components.D_from_matrix(matrix) @ x


@pytest.mark.parametrize("largest", [1, 2, 3])
def test_products_match_e3nns(largest):
    x, directions = torch.randn(6, (largest + 1) ** 2, CHANNELS), torch.randn(6, 3)
    _, couplings = Couplings(largest)(directions)
    products = couplings.transpose(1, 2) @ x
    start = 0
    for degree, paths in enumerate(coupling_paths(largest)):
        rows = products[:, start : start + (2 * degree + 1) * len(paths)].unflatten(1, (2 * degree + 1, -1))
        start += (2 * degree + 1) * len(paths)
        for path, (degree_in, harmonic) in enumerate(paths):
            block = x[:, degree_in**2 : (degree_in + 1) ** 2].transpose(1, 2).flatten(1)
            irreps = [o3.Irrep(each, (-1) ** each) for each in (degree_in, harmonic, degree)]
            product = o3.TensorProduct(
                [(CHANNELS, irreps[0])],
                [(1, irreps[1])],
                [(CHANNELS, irreps[2])],
                [(0, 0, 0, "uvu", False)],
                irrep_normalization="component",
                path_normalization="none",
            )
            harmonics = o3.spherical_harmonics(harmonic, directions, True, normalization="component")
            expected = product(block, harmonics).unflatten(1, (CHANNELS, -1)).transpose(1, 2)
            torch.testing.assert_close(rows[:, :, path], expected, rtol=0, atol=1e-12)
    assert start == products.shape[1]


def test_all_paths_of_degree_two_that_keep_the_parity():
    assert [len(paths) for paths in coupling_paths(2)] == [3, 4, 4]
    for degree, paths in enumerate(coupling_paths(2)):
        for degree_in, harmonic in paths:
            assert o3.Irrep(degree, (-1) ** degree) in o3.Irrep(degree_in, (-1) ** degree_in) * o3.Irrep(
                harmonic, (-1) ** harmonic
            )


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: DegreeLinear(CHANNELS, CHANNELS, 2),
        lambda: DegreeNorm(CHANNELS, 2),
        lambda: FeedForward(CHANNELS, 2, 3),
    ],
    ids=["linear", "norm", "feed_forward"],
)
def test_layers_commute_with_the_group(layer, sign):
    layer = layer()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x, matrix = torch.randn(7, 9, CHANNELS), sign * o3.rand_matrix()
    assert relative_difference(layer(rotated(x, matrix)), rotated(layer(x), matrix)) < WIGNER


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_messages_commute_with_the_group(sign):
    mix = PathLinear(CHANNELS, [3, CHANNELS, CHANNELS])
    couple = Couplings(2)
    x, directions, factors = torch.randn(7, 9, CHANNELS), torch.randn(7, 3), torch.randn(7, sum(mix.widths))
    matrix = sign * o3.rand_matrix()

    def messages(x, directions):
        return mix(couple(directions)[1].transpose(1, 2) @ x, factors)

    here, there = messages(x, directions), messages(rotated(x, matrix), directions @ matrix.T)
    for degree, (before, after) in enumerate(zip(here, there, strict=True)):
        wigner = o3.Irrep(degree, (-1) ** degree).D_from_matrix(matrix)
        assert relative_difference(after, wigner @ before) < WIGNER


def test_norm_gives_each_degree_unit_size():
    x = DegreeNorm(CHANNELS, 2)(10 + 5 * torch.randn(50, 9, CHANNELS))
    for degree in range(3):
        squares = x[:, degree**2 : (degree + 1) ** 2].square().mean((1, 2))
        torch.testing.assert_close(squares, torch.ones(50), rtol=1e-3, atol=0)
    torch.testing.assert_close(x[:, 0].mean(1), torch.zeros(50), rtol=0, atol=1e-9)


def test_norm_is_smooth_at_zero():
    x = torch.zeros(2, 9, CHANNELS, requires_grad=True)
    layer = DegreeNorm(CHANNELS, 2)
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_attention_of_each_head_sums_to_one():
    attention = GraphAttention(CHANNELS, 2, heads=2, logits=3, edge_inputs=5, radial_hidden=6)
    topology = complete_topology(2, 4, torch.device("cpu"))
    weights = attention.attention(torch.randn(24, 6), topology)
    torch.testing.assert_close(topology.sum_edges(weights), torch.ones(8, 2))


def test_a_message_carries_the_features_of_its_sender():
    signature = Signature(scalars=4, vectors=0, edge_scalars=0, output="vectors")
    graph = random_graph(signature, 1, 4, seed=0)
    model = Equiformer(signature, channels=CHANNELS, layers=1, heads=2, logits=4)
    changed = graph.scalars.clone()
    changed[1] += 1
    moved = (model(replace(graph, scalars=changed)) - model(graph)).norm(dim=-1)
    assert moved.min() > 1e-6


def test_features_rotate_as_declared():
    declared = degree_features(CHANNELS, 2)
    x, matrix = torch.randn(1, *declared.shape), o3.rand_matrix()
    # The channels-last layout is that of `CHANNELS` copies of each irrep, side by side on the last axis.
    wigner = [o3.Irrep(irrep).D_from_matrix(matrix) for _, irrep in declared.irreps]
    expected = torch.cat([w @ x[:, d**2 : (d + 1) ** 2] for d, w in enumerate(wigner)], 1)
    torch.testing.assert_close(rotated(x, matrix), expected)
    assert declared.dim == 9 * CHANNELS


def test_relaxation_runs_beside_the_feed_forward_and_leaves_no_trace():
    model = Equiformer(MOLECULE, channels=CHANNELS, layers=2, heads=2, logits=4)
    graph = random_graph(MOLECULE, 2, 4, seed=0)
    strict = model(graph)
    relaxed = relax(model, torch.Generator().manual_seed(0))
    assert [layer.name for layer in relaxed_layers(relaxed).values()] == [
        "blocks.0.feed_forward",
        "blocks.1.feed_forward",
    ]
    assert relative_difference(relaxed(graph), strict) > 1e-6
    assert torch.equal(project(relaxed)(graph), strict)


@pytest.mark.parametrize("pattern", ["blocks.*.attention.sender", "blocks.*.feed_forward.expand"])
def test_linear_maps_can_be_relaxed_linearly(pattern):
    model = Equiformer(MOLECULE, channels=CHANNELS, layers=2, heads=2, logits=4)
    graph = random_graph(MOLECULE, 2, 4, seed=0)
    strict = model(graph)
    relax(model, torch.Generator().manual_seed(0), layers=[pattern], companion="linear", init=0.1)
    assert len(relaxed_layers(model)) == 2
    assert relative_difference(model(graph), strict) > 1e-6


def test_channels_must_fit_the_heads():
    with pytest.raises(BadInput, match=r"model\.channels: 5 cannot be divided among 2 heads"):
        equiformer(MOLECULE, channels=5, heads=2)
