"""How far the companions are from zero and from equivariance, on the inputs of a batch.

With x the (detached) inputs of a layer, g its companion and d_out its output dimension, each penalty is a mean
over the N rows of the batch and over the output entries, so that a weight keeps its meaning when the batch, the
number of points or the width changes; the generators are summed over.

    norm    mean ||g(x)||^2 / d_out
    Lie     sum_a mean ||dg(x)[rho_in(A_a) x] - rho_out(A_a) g(x)||^2 / d_out
    parity  mean ||g(P_in x) - P_out g(x)||^2 / d_out

The Lie term is the derivative at t = 0 of rho_out(exp(-t A_a)) g(rho_in(exp(t A_a)) x), and vanishes for all x
exactly if g is equivariant under rotations. It does not detect inversion P, which is why there is a parity term.

For g(x) = W x the Lie term is sum_a tr(C_a G C_a^T) / d_out with the commutators C_a = W rho_in(A_a) -
rho_out(A_a) W and the Gram matrix G = X^T X / N of the inputs. That costs N d_in^2 + 3 d_out d_in^2
multiplications, its gradient C_a G included, whereas rotating the inputs costs 6 N d_in d_out; the cheaper of
these two exact forms is used.
"""

import torch
from torch import Tensor

from trainables.relaxation.action import has_inversion, infinitesimal, parities, rotate
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.relaxed_layer import Call, RelaxedLayer, Representations

AXES = torch.eye(3)
"""The directions (k, 3) of the exact Lie term: the three generators."""


def random_direction(seed: int) -> Tensor:
    """(1, 3) one random generator, scaled so that the expectation of its Lie term is the exact one."""
    vector = torch.randn(1, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 3**0.5 * vector / vector.norm()


STRIDE = 4
"""`sample` takes one row of this many."""


def random_offset(seed: int) -> int:
    """The first row of a sample, independent of the random direction of the same seed."""
    return int(torch.randint(STRIDE, (1,), generator=torch.Generator().manual_seed(2**40 + seed)))


def sample(call: Call, offset: int) -> tuple[Call, float]:
    """Every fourth row of a call from `offset` on; all of them if there are fewer than four.

    Also the factor for a mean over these rows that makes it, averaged over the offsets, the mean over all rows.
    """
    if len(call.inputs) < STRIDE:
        return call, 1.0
    rows = call.inputs[offset::STRIDE]
    return Call(rows, call.companion), STRIDE * len(rows) / len(call.inputs)


def norm(layer: RelaxedLayer, call: Call) -> Tensor:
    """The norm term of one forward pass."""
    return call.outputs.square().mean()


def lie(layer: RelaxedLayer, call: Call, directions: Tensor = AXES) -> Tensor:
    """The Lie term of one forward pass, summed over the generators that the directions (k, 3) name."""
    if isinstance(layer.companion, LinearCompanion) and gram_is_cheaper(layer, call, len(directions)):
        maps = commutators(layer.companion.weight, layer.inputs, layer.outputs, directions)
        return mean_square(maps, call.inputs)
    return lie_by_rotation(layer, call, directions)


def lie_by_rotation(layer: RelaxedLayer, call: Call, directions: Tensor) -> Tensor:
    """The Lie term from the rotated inputs and outputs, for any companion."""
    inputs, outputs = call.inputs, call.outputs
    changes = infinitesimal(layer.inputs, inputs, directions)
    residuals = layer.companion.tangents(inputs, changes) - infinitesimal(layer.outputs, outputs, directions)
    return residuals.square().mean((1, 2)).sum()


def parity(layer: RelaxedLayer, call: Call) -> Tensor | None:
    """The parity term of one forward pass; None where the layer's group has no inversion."""
    if not has_inversion(layer.inputs + layer.outputs):
        return None
    inputs = call.inputs
    signs_in, signs_out = (
        parities(part, inputs.dtype, inputs.device) for part in (layer.inputs, layer.outputs)
    )
    if isinstance(layer.companion, LinearCompanion):
        weight = layer.companion.weight
        maps = weight * signs_in - signs_out.unsqueeze(1) * weight
        if gram_is_cheaper(layer, call, 1):
            return mean_square(maps.unsqueeze(0), inputs)
        return torch.nn.functional.linear(inputs, maps).square().mean()
    return (layer.companion(inputs * signs_in) - call.outputs * signs_out).square().mean()


def root(total: Tensor) -> Tensor:
    """The square root of a sum of squares, whose gradient at 0 is 0 and not NaN."""
    return (total + 1e-12).sqrt()


def mirror_term(layer: RelaxedLayer, call: Call, mirror: Tensor) -> Tensor | None:
    """The parity term with an improper orthogonal matrix (3, 3) instead of inversion, for groups without it."""
    if not has_inversion(layer.inputs + layer.outputs):
        return None
    mirrored = layer.companion(rotate(layer.inputs, call.inputs, mirror))
    return (mirrored - rotate(layer.outputs, call.outputs, mirror)).square().mean()


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
