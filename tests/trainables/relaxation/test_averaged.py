import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from trainables.relaxation import penalties
from trainables.relaxation.action import project_on_commutant, rotate
from trainables.relaxation.averaged import averaged_penalty
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.relaxed_layer import Call, RelaxedLayer
from trainables.relaxation.representation import irreps, scalars, vectors

CASES = {
    "vectors": ((vectors(3),), (vectors(4),)),
    "irreps": ((irreps("4x0e+2x1o+1x2e"),), (irreps("2x0e+1x1o+1x1e+1x2e"),)),
    "several": ((scalars(3), vectors(2), scalars(2), vectors(1)), (scalars(3), vectors(1))),
    "rotations only": ((vectors(3, "SO3"), vectors(2, "SO3")), (vectors(2, "SO3"),)),
    "more channels than samples": ((vectors(40),), (vectors(4),)),
}
WEIGHTS = {"norm": 0.3, "lie": 0.2, "parity": 0.5}


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def relaxed(inputs, outputs):
    dims = [sum(part.dim for part in parts) for parts in (inputs, outputs)]
    companion = LinearCompanion(*dims, 1.0, torch.Generator().manual_seed(0))
    return RelaxedLayer("layer", nn.Identity(), companion, torch.ones(()), inputs, outputs)


def call(layer, rows=5):
    dim = layer.companion.weight.shape[1]
    x = torch.randn(rows, dim, generator=torch.Generator().manual_seed(1))
    return Call(x, layer.companion)


def quadrature():
    """Rotations and weights that integrate polynomials of degree 4 in the irreps of l <= 2 exactly."""
    cosines, shares = np.polynomial.legendre.leggauss(5)
    turns = np.arange(5) * 2 * math.pi / 5
    for cosine, share in zip(cosines, shares / 2, strict=True):
        for first in turns:
            for last in turns:
                rotation = Rotation.from_euler("zyz", [first, math.acos(cosine), last]).as_matrix()
                yield torch.from_numpy(rotation), share / 25


@pytest.mark.parametrize("name", CASES)
def test_the_penalty_is_the_mean_of_the_plain_terms_over_the_group(name):
    layer = relaxed(*CASES[name])
    made = call(layer)
    inversion = name != "rotations only"
    expected = 0.0
    for matrix, share in quadrature():
        for sign in (1, -1) if inversion else (1,):
            x = rotate(layer.inputs, made.inputs, sign * matrix)
            copy = Call(x, layer.companion)
            terms = 0.3 * penalties.norm(layer, copy) + 0.2 * penalties.lie(layer, copy)
            if inversion:
                terms = terms + 0.5 * penalties.parity(layer, copy)
            expected = expected + share / (2 if inversion else 1) * terms
    found = averaged_penalty(layer, made, WEIGHTS)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(value, layer.companion.weight)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", CASES)
def test_an_equivariant_map_is_penalized_for_its_norm_alone(name):
    layer = relaxed(*CASES[name])
    nearest = project_on_commutant(layer.inputs, layer.outputs, layer.companion.weight.detach())
    layer.companion.weight = nn.Parameter(nearest)
    made = call(layer)
    size = averaged_penalty(layer, made, {"norm": 1.0, "lie": 0.0, "parity": 0.0})
    assert size > 0
    assert abs(averaged_penalty(layer, made, {"norm": 0.0, "lie": 1.0, "parity": 1.0})) < 1e-12 * size


def test_a_parity_mixer_is_penalized():
    layer = relaxed((irreps("1x1o"),), (irreps("1x1e"),))
    layer.companion.weight = nn.Parameter(torch.eye(3))
    made = call(layer)
    assert abs(averaged_penalty(layer, made, {"norm": 0.0, "lie": 1.0, "parity": 0.0})) < 1e-14
    size = averaged_penalty(layer, made, {"norm": 1.0, "lie": 0.0, "parity": 0.0})
    parity = averaged_penalty(layer, made, {"norm": 0.0, "lie": 0.0, "parity": 1.0})
    torch.testing.assert_close(parity, 4 * size)


def test_the_penalty_depends_on_neither_orientation_nor_repetition_of_the_batch():
    layer = relaxed(*CASES["irreps"])
    made = call(layer)
    matrix = torch.from_numpy(Rotation.from_rotvec([0.3, -1.0, 2.0]).as_matrix())
    found = averaged_penalty(layer, made, WEIGHTS)
    turned = averaged_penalty(
        layer, Call(rotate(layer.inputs, made.inputs, matrix), layer.companion), WEIGHTS
    )
    repeated = averaged_penalty(layer, Call(made.inputs.repeat(100, 1), layer.companion), WEIGHTS)
    torch.testing.assert_close(turned, found)
    torch.testing.assert_close(repeated, found)


def test_a_companion_at_zero_has_finite_gradients():
    layer = relaxed(*CASES["irreps"])
    layer.companion.weight = nn.Parameter(torch.zeros_like(layer.companion.weight))
    found = averaged_penalty(layer, call(layer), WEIGHTS)
    (gradient,) = torch.autograd.grad(found, layer.companion.weight)
    assert found == 0
    assert gradient.isfinite().all()
