"""All penalties of a linear companion, averaged over every rotated copy of a batch, at the cost of one product.

If x is replaced by rho_in(g) x and g runs through the whole group, the mean of x x^T is, by Schur's lemma, a
multiple of the identity on the components of each irrep and does not couple different irreps: for the l-th it is
1 (x) H_l / (2l+1), with H_l the Gram matrix of the channels, summed over the 2l+1 components. So

    mean |W x|^2                          = sum_l <W_l, W_l H_l> / (2l+1)
    sum_a mean |[W, A_a] x|^2             = sum_l <(Q W)_l, W_l H_l> / (2l+1)
    mean |W P_in x - P_out W x|^2         = sum_l <(R W)_l, W_l H_l> / (2l+1)

where, on the block of W from degree l to degree k, the Casimir operator Q W = -sum_a [A_a, [A_a, W]] is
k(k+1) W + l(l+1) W + 2 sum_a A_a W A_a, and R is 4 where the parities differ and 0 elsewhere. All operators are
symmetric and commute with multiplication by H, so the gradient costs nothing beyond the value.

For data whose distribution is invariant under rotations this has the same expectation as the plain terms, and a
smaller variance; it is the same for every orientation of the batch; and it is zero only if W is equivariant.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from trainables.relaxation.action import Block, blocks, generators, has_inversion
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.relaxed_layer import Call, RelaxedLayer, Representations


class Kind(NamedTuple):
    """All blocks of one irrep."""

    degree: int
    parity: int
    blocks: tuple[Block, ...]


def averaged_penalty(layer: RelaxedLayer, call: Call, weights: Mapping[str, float]) -> Tensor:
    """The weighted sum of the norm, Lie and parity terms, each the mean over all copies of the batch.

    Args:
        weights: Keyed by "norm", "lie" and "parity"; the copies are inverted too if the layer's group is O(3).
    """
    assert isinstance(layer.companion, LinearCompanion), "the average is of a linear companion"
    weight = layer.companion.weight
    return KnownHalfGradient.apply(weight, half_gradient(layer, weight.detach(), call.inputs, weights))


class KnownHalfGradient(Function):
    """<W, G> with the gradient 2 G: the value of a quadratic form of W from half its gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, half: Tensor) -> Tensor:
        ctx.save_for_backward(half)
        return torch.dot(weight.view(-1), half.reshape(-1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (half,) = ctx.saved_tensors
        return half * (2 * gradient), None


def half_gradient(
    layer: RelaxedLayer, weight: Tensor, inputs: Tensor, weights: Mapping[str, float]
) -> Tensor:
    """(dim_out, dim_in), the G for which the penalty is <W, G> and its gradient 2 G."""
    inversion = has_inversion(layer.inputs + layer.outputs)
    unit = 2 * weights["lie"] or 1.0  # factored out, so that scaling by it costs no pass over W
    columns: dict[int, Tensor] = {}
    for source in kinds(layer.inputs, inversion):
        features = gather(inputs, source)
        mean = (unit / (len(inputs) * features.shape[1] * len(weight))) ** 0.5
        product = times_gram(gather(weight, source), mean * features.flatten(0, 1))
        rows = []
        for target in blocks(layer.outputs):
            block = product.narrow(0, target.start, target.size).unflatten(0, target.shape)
            block = operate(block.transpose(0, target.irrep_axis), target, source, weights, unit, inversion)
            rows.append(block.transpose(0, target.irrep_axis).flatten(0, 1))
        columns |= scatter(rows[0] if len(rows) == 1 else torch.cat(rows), source)
    parts = [part for _, part in sorted(columns.items())]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def operate(
    block: Tensor,
    target: Block,
    source: Kind,
    weights: Mapping[str, float],
    unit: float,
    inversion: bool,
) -> Tensor:
    """(norm + lie Q + parity R) / unit of a block (2k+1, channels_out, 2l+1, channels_in)."""
    degree = target.irrep.l
    factor = weights["norm"] + weights["lie"] * (degree * (degree + 1) + source.degree * (source.degree + 1))
    if inversion and target.irrep.p != source.parity:
        factor += 4 * weights["parity"]
    if not (degree and source.degree and weights["lie"]):
        return block * (factor / unit)
    return mix_and_add(block, degree, source.degree, factor / unit)


def mix_and_add(block: Tensor, target_degree: int, source_degree: int, factor: float) -> Tensor:
    """sum_a A_a W A_a + factor W for a block W (2k+1, channels_out, 2l+1, channels_in)."""
    if target_degree == source_degree == 1:
        # For cross products the sum is W^T - tr(W) 1.
        mixed = torch.add(block.transpose(0, 2), block, alpha=factor)
        mixed.diagonal(0, 0, 2).sub_(block.diagonal(0, 0, 2).sum(-1, keepdim=True))
        return mixed
    left, right = (generators(degree, block.dtype, block.device) for degree in (target_degree, source_degree))
    return torch.einsum("aij,akl,jokc->iolc", left, right, block).add_(block, alpha=factor)


def times_gram(weight: Tensor, features: Tensor) -> Tensor:
    """W times X^T X for weight (..., channels) and features (samples, channels), in the cheaper order."""
    if 2 * len(features) < features.shape[1]:
        return (weight @ features.T) @ features
    return weight @ (features.T @ features)


@lru_cache(maxsize=256)
def kinds(representations: Representations, inversion: bool) -> tuple[Kind, ...]:
    """The kinds of irreps; without inversion, parity has no meaning and is taken to be even."""
    found: dict[tuple[int, int], list[Block]] = {}
    for block in blocks(representations):
        found.setdefault((block.irrep.l, block.irrep.p if inversion else 1), []).append(block)
    return tuple(Kind(degree, parity, tuple(parts)) for (degree, parity), parts in found.items())


def gather(features: Tensor, kind: Kind) -> Tensor:
    """(rows, dim) -> (rows, 2l+1, channels) of one kind."""
    parts = [
        features.narrow(1, block.start, block.size)
        .view(len(features), *block.shape)
        .transpose(1, 1 + block.irrep_axis)
        for block in kind.blocks
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def scatter(features: Tensor, kind: Kind) -> dict[int, Tensor]:
    """(rows, 2l+1, channels) of one kind -> the columns (rows, size) of each of its blocks, keyed by its start."""
    channels = [block.multiplicity for block in kind.blocks]
    return {
        block.start: part.transpose(1, 1 + block.irrep_axis).flatten(1)
        for block, part in zip(kind.blocks, features.split(channels, dim=-1), strict=True)
    }
