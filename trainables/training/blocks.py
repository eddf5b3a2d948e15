"""Arithmetic on many matrices at once: those of equal shape are stacked, and nothing waits for the device."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STEEP = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic a s + b s^3 + c s^5 that lifts small singular values fast, and leaves them between
0.68 and 1.21 (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon)."""

SETTLING = (15 / 8, -10 / 8, 3 / 8)
"""Coefficients of the quintic that converges to 1 from there."""

ITERATIONS = (STEEP,) * 5 + (SETTLING,) * 2

SQUARINGS = 10


def orthogonalized(matrices: Tensor) -> Tensor:
    """The approximate orthogonal factor of the polar decomposition: U V^T for a matrix U S V^T.

    Five steep Newton-Schulz iterations, as in torch.optim.Muon, leave singular values between 0.68 and 1.21.
    Two settling ones then bring each that was at least 0.0012 of the matrix's Frobenius norm to within 0.01
    of 1; smaller ones, such as those of a gradient of low rank, stay below. The precision is that of the
    matrices (float32 in training; torch.optim.Muon's is bfloat16), since the last iterations need it.

    Args:
        matrices: (n, rows, columns).
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    for a, b, c in ITERATIONS:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT


def spectral_norms(matrices: Tensor) -> Tensor:
    """(n, 1, 1) the largest singular values of matrices (n, rows, columns), at most 0.3% too small up to 200 rows.

    With the eigenvalues e of the Gram matrix of the shorter side, sum e^(p+1) / sum e^p is a mean of them
    that approaches the largest as p grows. p = 1024 is reached by squaring, and the host need not wait for
    the device, as it does in PyTorch's exact norm.
    """
    x = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    scale = torch.linalg.matrix_norm(x, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    gram = (x / scale) @ (x / scale).mT
    power = gram
    for _ in range(SQUARINGS):
        power = power @ power
        power = power / _trace(power).clamp(min=torch.finfo(x.dtype).tiny)
    return scale * (_trace(gram @ power) / _trace(power).clamp(min=torch.finfo(x.dtype).tiny)).sqrt()


def change_by_shape(blocks: Sequence[Tensor], change: Callable[[Tensor], Tensor]) -> None:
    """Replace each block (rows, columns) in place; `change` maps stacks (n, rows, columns) to new ones."""
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for block in blocks:
        by_shape.setdefault(block.shape, []).append(block)
    for alike in by_shape.values():
        torch._foreach_copy_(alike, list(change(torch.stack(alike)).unbind()))


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(0, 1, 2).sum(-1)[:, None, None]
