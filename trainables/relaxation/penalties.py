"""How far the companions are from zero and from equivariance, on the inputs of a batch.

With x the (detached) inputs of a layer, g its companion and d_out its output dimension, each penalty is a mean
over the N rows of the batch and over the output entries, so that a weight keeps its meaning when the batch, the
number of points or the width changes; the generators are summed over.

    norm    mean ||g(x)||^2 / d_out
    Lie     sum_a mean ||dg(x)[rho_in(A_a) x] - rho_out(A_a) g(x)||^2 / d_out
    parity  mean ||g(P_in x) - P_out g(x)||^2 / d_out

The Lie term is the derivative at t = 0 of rho_out(exp(-t A_a)) g(rho_in(exp(t A_a)) x), and vanishes for all x if
and only if g is equivariant under rotations. It does not detect inversion P, which is why there is a parity term.

For g(x) = W x the Lie term is sum_a tr(C_a G C_a^T) / d_out with the commutators C_a = W rho_in(A_a) -
rho_out(A_a) W and the Gram matrix G = X^T X / N of the inputs. That costs N d_in^2 + 3 d_out d_in^2
multiplications, its gradient C_a G included, whereas rotating the inputs costs 6 N d_in d_out; the cheaper of
these two exact forms is used.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from trainables.relaxation.action import has_inversion, infinitesimal, parities, rotate
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.relaxed_layer import Call, RelaxedLayer, Representations

Reflect = Callable[[Representations, Tensor], Tensor]
"""An improper element of the group, as it acts on features (..., dim)."""

AXES = torch.eye(3)
"""The directions (k, 3) of the exact Lie term: the three generators."""


def random_direction(seed: int) -> Tensor:
    """(1, 3) one random generator, scaled so that the expectation of its Lie term is the exact one."""
    vector = torch.randn(1, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 3**0.5 * vector / vector.norm()


STRIDE = 4
"""`sample` takes one row in this many."""


def random_offset(seed: int) -> int:
    """The first row of a sample, independent of the random direction of the same seed."""
    return int(torch.randint(STRIDE, (1,), generator=torch.Generator().manual_seed(2**40 + seed)))


def sample(call: Call, offset: int) -> tuple[Call, float]:
    """Every fourth row of a call from `offset` on; all of them if there are fewer than four.

    Also returns the factor by which to multiply a mean over these rows: averaged over the offsets, the product is the
    mean over all rows.
    """
    if len(call.inputs) < STRIDE:
        return call, 1.0
    rows = call.inputs[offset::STRIDE]
    return Call(rows, call.companion), STRIDE * len(rows) / len(call.inputs)


def norm(layer: RelaxedLayer, call: Call) -> Tensor:
    """The norm term of one forward pass."""
    return call.outputs.square().mean()


def lie(layer: RelaxedLayer, call: Call, directions: Tensor = AXES) -> Tensor:
    """The Lie term of one forward pass, summed over the generators that the directions (k, 3) specify."""
    if not isinstance(layer.companion, LinearCompanion):
        return of_network(layer, call, directions, None)["lie"]
    if gram_is_cheaper(layer, call, len(directions)):
        maps = commutators(layer.companion.weight, layer.inputs, layer.outputs, directions)
        return mean_square(maps, call.inputs)
    return lie_by_rotation(layer, call, directions)


def lie_by_rotation(layer: RelaxedLayer, call: Call, directions: Tensor) -> Tensor:
    """The Lie term of a linear companion from the rotated inputs and outputs."""
    tangents = layer.companion(infinitesimal(layer.inputs, call.inputs, directions))
    residuals = tangents - infinitesimal(layer.outputs, call.outputs, directions)
    return residuals.square().mean((1, 2)).sum()


def inverted(representations: Representations, features: Tensor) -> Tensor:
    """Features (..., dim) after an inversion."""
    return features * parities(representations, features.dtype, features.device)


def parity(layer: RelaxedLayer, call: Call, reflect: Reflect = inverted) -> Tensor | None:
    """The parity term of one forward pass; None if the layer's group has no improper elements.

    Args:
        layer, call: The layer and one of its forward passes.
        reflect: An improper element of the group.
    """
    if not has_inversion(layer.inputs + layer.outputs):
        return None
    if not isinstance(layer.companion, LinearCompanion):
        return of_network(layer, call, None, reflect)["parity"]
    if reflect is not inverted:
        images = layer.companion(reflect(layer.inputs, call.inputs))
        return (images - reflect(layer.outputs, call.outputs)).square().mean()
    weight, inputs = layer.companion.weight, call.inputs
    maps = inverted(layer.inputs, weight) - inverted(layer.outputs, weight.T).T
    if gram_is_cheaper(layer, call, 1):
        return mean_square(maps.unsqueeze(0), inputs)
    return torch.nn.functional.linear(inputs, maps).square().mean()


def of_network(
    layer: RelaxedLayer, call: Call, directions: Tensor | None, reflect: Reflect | None
) -> dict[str, Tensor]:
    """The norm, Lie and parity terms of a companion that is not a linear map, by name, in one pass through it.

    There are few rows and many weights, so a pass takes as long as reading the weights: the inputs, their reflection
    and their infinitesimal rotations go through together.

    Args:
        layer, call: The layer and one of its forward passes.
        directions: (k, 3), the generators of the Lie term; None to omit it.
        reflect: The improper element of the parity term; None to omit it. Groups without inversion always omit it.
    """
    if reflect is not None and not has_inversion(layer.inputs + layer.outputs):
        reflect = None
    x, network = call.inputs, layer.companion
    assert not isinstance(network, LinearCompanion), "a linear companion has cheaper forms"
    points = torch.stack([x] if reflect is None else [x, reflect(layer.inputs, x)])
    changes = x.expand(0, *x.shape) if directions is None else infinitesimal(layer.inputs, x, directions)
    values, tangents = network.values_and_tangents(points, changes)
    terms = {"norm": values[0].square().mean()}
    if directions is not None:
        residuals = tangents - infinitesimal(layer.outputs, values[0], directions)
        terms["lie"] = residuals.square().mean((1, 2)).sum()
    if reflect is not None:
        terms["parity"] = (values[1] - reflect(layer.outputs, values[0])).square().mean()
    return terms


def mirrored(mirror: Tensor) -> Reflect:
    """An improper orthogonal matrix (3, 3), in place of the inversion if the group has none."""
    return partial(rotate, matrix=mirror)


def root(total: Tensor) -> Tensor:
    """The square root of a sum of squares, whose gradient at 0 is 0 and not NaN."""
    return (total + 1e-12).sqrt()


def commutators(
    weight: Tensor, inputs: Representations, outputs: Representations, directions: Tensor
) -> Tensor:
    """W rho_in(A) - rho_out(A) W for each direction: (k, dim_out, dim_in)."""
    # The generators are antisymmetric, so acting on the rows of W from the right changes the sign.
    return -infinitesimal(inputs, weight, directions) - infinitesimal(outputs, weight, directions, axis=0)


def mean_square(maps: Tensor, inputs: Tensor) -> Tensor:
    """The sum over maps (k, dim_out, dim_in) of the mean square entry of map @ x, through the Gram matrix.

    The gradient of tr(C G C^T) is 2 C G, which the value needs anyway: it is saved for the backward pass instead of
    being computed a second time.
    """
    gram = inputs.T @ inputs / (len(inputs) * maps.shape[1])
    products = maps.detach() @ gram
    twice = 2 * (maps * products).sum()
    return twice - twice.detach() / 2


def gram_is_cheaper(layer: RelaxedLayer, call: Call, directions: int) -> bool:
    """Whether the Gram form needs fewer multiplications than rotating the inputs, by the shapes alone."""
    rows, dim_in = call.inputs.shape
    dim_out = sum(part.dim for part in layer.outputs)
    return rows * dim_in + directions * dim_out * dim_in < 2 * directions * rows * dim_out
