import pytest
import torch
from e3nn import o3

from trainables.relaxation.action import (
    blocks,
    commutant,
    generators,
    infinitesimal,
    parities,
    project_on_commutant,
    rotate,
)
from trainables.relaxation.representation import Representation, irreps, scalars, vectors
from trainables.symmetry import random_rotations

MIXED = o3.Irreps("3x0e+2x1o+1x1e+2x2e+1x0o+1x3o")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def channels_last(description):
    parsed = o3.Irreps(description)
    return Representation(parsed, "channels_last", (parsed.dim,))


def to_channels_last(features, description):
    """Convert e3nn's layout to channels-last, block by block."""
    parts = []
    for (multiplicity, irrep), where in zip(description, description.slices(), strict=True):
        part = features[..., where].unflatten(-1, (multiplicity, irrep.dim))
        parts.append(part.transpose(-1, -2).flatten(-2))
    return torch.cat(parts, -1)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_generators_match_e3nns(degree):
    angles = torch.tensor([0.3, -0.2, 0.5])
    rotation = torch.matrix_exp(torch.tensordot(angles, generators(1, torch.float64, CPU), 1))
    wigner = torch.matrix_exp(torch.tensordot(angles, generators(degree, torch.float64, CPU), 1))
    torch.testing.assert_close(wigner, o3.Irrep(degree, 1).D_from_matrix(rotation), atol=1e-10, rtol=0)


def test_generators_are_precise_whatever_the_default_precision():
    torch.set_default_dtype(torch.float32)
    generators.cache_clear()
    found = generators(3, torch.float64, CPU)
    assert torch.get_default_dtype() == torch.float32
    # The Casimir operator: minus the sum of their squares is l (l + 1).
    casimir = -(found @ found).sum(0)
    torch.testing.assert_close(casimir, 12 * torch.eye(7, dtype=torch.float64), atol=1e-12, rtol=0)


def test_the_first_generator_of_vectors_is_a_cross_product():
    vector = torch.randn(3)
    image = generators(1, torch.float64, CPU) @ vector
    torch.testing.assert_close(image, torch.linalg.cross(torch.eye(3), vector.expand(3, 3)))


@pytest.mark.parametrize("improper", [False, True])
def test_rotation_agrees_with_e3nn_in_both_layouts(improper):
    matrix = random_rotations(1, torch.Generator().manual_seed(1))[0] * (-1 if improper else 1)
    features = MIXED.randn(7, -1)
    expected = features @ MIXED.D_from_matrix(matrix).T
    torch.testing.assert_close(rotate((irreps(MIXED),), features, matrix), expected, atol=1e-9, rtol=0)
    torch.testing.assert_close(
        rotate((channels_last(MIXED),), to_channels_last(features, MIXED), matrix),
        to_channels_last(expected, MIXED),
        atol=1e-9,
        rtol=0,
    )


@pytest.mark.parametrize(
    "representations",
    [(irreps(MIXED),), (channels_last(MIXED),), (scalars(4), vectors(3), irreps("2x2e"))],
)
def test_infinitesimal_action_is_the_derivative_of_the_finite_one(representations):
    features = torch.randn(4, sum(part.dim for part in representations))
    directions = torch.randn(2, 3)
    basis = generators(1, torch.float64, CPU)
    step = 1e-5
    for direction, found in zip(
        directions, infinitesimal(representations, features, directions), strict=True
    ):
        there = torch.matrix_exp(step * torch.tensordot(direction, basis, 1))
        difference = rotate(representations, features, there) - rotate(representations, features, there.T)
        torch.testing.assert_close(found, difference / (2 * step), atol=1e-8, rtol=1e-8)


def test_infinitesimal_action_on_the_first_axis():
    features = torch.randn(5, MIXED.dim)
    along_last = infinitesimal((irreps(MIXED),), features, torch.eye(3))
    along_first = infinitesimal((irreps(MIXED),), features.T, torch.eye(3), axis=0)
    torch.testing.assert_close(along_first, along_last.transpose(1, 2))


def test_parities():
    assert parities((irreps("1x0e+1x1o"), scalars(1)), torch.float64, CPU).tolist() == [1, -1, -1, -1, 1]


def test_blocks_follow_one_another():
    starts = [(block.start, str(block.irrep)) for block in blocks((scalars(4), vectors(2)))]
    assert starts == [(0, "0e"), (4, "1o")]


@pytest.mark.parametrize("make", [irreps, channels_last])
def test_projection_on_the_commutant_is_orthogonal(make):
    inputs, outputs = (make("3x0e+2x1o+1x1e+1x2e"),), (make("2x0e+2x1o+2x1e"), make("2x2e+1x0e"))
    weight = torch.randn(sum(part.dim for part in outputs), inputs[0].dim)
    nearest = project_on_commutant(inputs, outputs, weight)
    torch.testing.assert_close(project_on_commutant(inputs, outputs, nearest), nearest)
    x = torch.randn(6, inputs[0].dim)
    for matrix in (*random_rotations(2, torch.Generator().manual_seed(0)), -torch.eye(3)):
        torch.testing.assert_close(
            rotate(inputs, x, matrix) @ nearest.T, rotate(outputs, x @ nearest.T, matrix), atol=1e-10, rtol=0
        )
    other = project_on_commutant(inputs, outputs, torch.randn_like(weight))
    assert ((weight - nearest) * other).sum().abs() < 1e-10


def test_the_projection_of_vectors_is_a_third_of_each_trace():
    weight = torch.randn(3 * 4, 3 * 2)
    (((_, _, matrix),)) = tuple(commutant((vectors(2),), (vectors(4),), weight))
    expected = torch.einsum("iviu->vu", weight.view(3, 4, 3, 2)) / 3
    torch.testing.assert_close(matrix, expected)


def test_parity_separates_polar_from_axial_vectors_only_if_it_is_in_the_group():
    weight = torch.randn(3, 3)
    axial = Representation(o3.Irreps("1x1e"), "channels_last", (3, 1))
    assert not list(commutant((vectors(1),), (axial,), weight))
    axial_of_rotations = Representation(o3.Irreps("1x1e"), "channels_last", (3, 1), "SO3")
    assert len(list(commutant((vectors(1, "SO3"),), (axial_of_rotations,), weight))) == 1
