"""The action of the group on features flattened to (..., dim), without building a dense matrix."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from e3nn import o3
from scipy.spatial.transform import Rotation
from torch import Tensor

from trainables.relaxation.representation import Representation


class Block(NamedTuple):
    """`multiplicity` copies of one irrep, in the entries from `start` on.

    Attributes:
        shape: (multiplicity, 2l+1) or (2l+1, multiplicity), depending on the layout.
        irrep_axis: Which axis of `shape` is that of the 2l+1 components.
    """

    start: int
    irrep: o3.Irrep
    multiplicity: int
    shape: tuple[int, int]
    irrep_axis: int

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]


@lru_cache(maxsize=256)
def blocks(representations: tuple[Representation, ...]) -> tuple[Block, ...]:
    """The blocks of all the representations, in order."""
    found, start = [], 0
    for representation in representations:
        for multiplicity, irrep in representation.irreps:
            channels_last = representation.layout == "channels_last"
            shape = (irrep.dim, multiplicity) if channels_last else (multiplicity, irrep.dim)
            found.append(Block(start, irrep, multiplicity, shape, 0 if channels_last else 1))
            start += multiplicity * irrep.dim
    return tuple(found)


def flatten(dims: Sequence[int], tensors: Sequence[Tensor]) -> Tensor:
    """Tensors (..., *shape), one for each representation of dimension `dims` -> (rows, dim) all side by side."""
    rows = [tensor.reshape(-1, dim) for dim, tensor in zip(dims, tensors, strict=True)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=-1)


@lru_cache(maxsize=64)
def generators(degree: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(3, 2l+1, 2l+1) the antisymmetric derivatives at 0 of the rotations about x, y, z, in e3nn's real basis."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # e3nn computes them in the default precision
    try:
        return o3.so3_generators(degree).to(device, dtype)
    finally:
        torch.set_default_dtype(previous)


@lru_cache(maxsize=64)
def generators_along(
    degree: int, directions: tuple[tuple[float, ...], ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(k, 2l+1, 2l+1) the matrices sum_a u_a A_a for k directions u.

    Python numbers reach the device as part of the multiplication; a tensor would have to be copied to it.
    """
    x, y, z = generators(degree, dtype, device)
    return torch.stack([along[0] * x + along[1] * y + along[2] * z for along in directions])


def infinitesimal(
    representations: tuple[Representation, ...], features: Tensor, directions: Tensor, axis: int = -1
) -> Tensor:
    """rho(sum_a u_a A_a) on the axis `axis` of the features: (k, *features.shape) for directions u (k, 3).

    The directions are on the host.
    """
    numbers = tuple(tuple(direction) for direction in directions.tolist())

    def rotate(block: Block, part: Tensor, irrep_axis: int) -> Tensor:
        if block.irrep.l == 0:
            return part.new_zeros(len(directions), *part.shape)
        matrices = generators_along(block.irrep.l, numbers, features.dtype, features.device)
        images = torch.tensordot(matrices, part, dims=([2], [irrep_axis]))
        return images.movedim(1, irrep_axis + 1)

    return _by_block(representations, features, axis, rotate, new_axes=1)


def rotate(representations: tuple[Representation, ...], features: Tensor, matrix: Tensor) -> Tensor:
    """rho(g) on the last axis of the features, for g an orthogonal matrix (3, 3), improper ones included.

    The matrix is on the host.
    """
    numbers = tuple(tuple(row) for row in matrix.tolist())

    def act(block: Block, part: Tensor, irrep_axis: int) -> Tensor:
        wigner = wigner_matrix(block.irrep, numbers, part.dtype, part.device)
        return torch.tensordot(wigner, part, dims=([1], [irrep_axis])).movedim(0, irrep_axis)

    return _by_block(representations, features, -1, act, new_axes=0)


@lru_cache(maxsize=64)
def wigner_matrix(
    irrep: o3.Irrep, matrix: tuple[tuple[float, ...], ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(2l+1, 2l+1) how an irrep transforms under an orthogonal matrix (3, 3); cached for the next step."""
    orthogonal = torch.tensor(matrix, dtype=torch.float64)
    determinant = torch.linalg.det(orthogonal)
    vector = Rotation.from_matrix((orthogonal * determinant.sign()).numpy()).as_rotvec()
    basis = generators(irrep.l, torch.float64, torch.device("cpu"))
    wigner = torch.matrix_exp(torch.tensordot(torch.from_numpy(vector), basis, dims=1))
    return (irrep.p * wigner if determinant < 0 else wigner).to(device, dtype)


@lru_cache(maxsize=256)
def parities(representations: tuple[Representation, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(dim,) the sign of each entry under inversion."""
    signs = [float(block.irrep.p) for block in blocks(representations) for _ in range(block.size)]
    return torch.tensor(signs, dtype=dtype).to(device)


def has_inversion(representations: tuple[Representation, ...]) -> bool:
    """Whether parities are meaningful in all of the representations."""
    return all(representation.group == "O3" for representation in representations)


def commutant(
    inputs: tuple[Representation, ...], outputs: tuple[Representation, ...], weight: Tensor
) -> Iterator[tuple[Block, Block, Tensor]]:
    """The orthogonal projection of a dense map (dim_out, dim_in) onto the equivariant ones, block by block.

    Yields (input block, output block, matrix (multiplicity_out, multiplicity_in)) for each pair of equal
    irreps: by Schur's lemma the projection is that matrix times the identity on the components, and its
    entries are the traces over the components, divided by 2l+1.
    """
    parity_counts = has_inversion(inputs + outputs)
    for into in blocks(outputs):
        for origin in blocks(inputs):
            same_parity = origin.irrep.p == into.irrep.p or not parity_counts
            if origin.irrep.l == into.irrep.l and same_parity:
                part = weight[_entries(into), _entries(origin)].unflatten(1, origin.shape)
                part = part.unflatten(0, into.shape)
                traces = torch.diagonal(part, 0, into.irrep_axis, 2 + origin.irrep_axis).sum(-1)
                yield origin, into, traces / into.irrep.dim


def project_on_commutant(
    inputs: tuple[Representation, ...], outputs: tuple[Representation, ...], weight: Tensor
) -> Tensor:
    """The nearest equivariant map (dim_out, dim_in) to a dense one."""
    nearest = torch.zeros_like(weight)
    for origin, into, matrix in commutant(inputs, outputs, weight):
        identity = torch.eye(into.irrep.dim, dtype=weight.dtype, device=weight.device)
        component_first = torch.einsum("ij,vu->ivju", identity, matrix)
        if into.irrep_axis == 1:
            component_first = component_first.transpose(0, 1)
        if origin.irrep_axis == 1:
            component_first = component_first.transpose(2, 3)
        nearest[_entries(into), _entries(origin)] = component_first.flatten(2, 3).flatten(0, 1)
    return nearest


def _entries(block: Block) -> slice:
    return slice(block.start, block.start + block.size)


def _by_block(
    representations: tuple[Representation, ...],
    features: Tensor,
    axis: int,
    act: Callable[[Block, Tensor, int], Tensor],
    new_axes: int,
) -> Tensor:
    axis = axis % features.ndim
    parts = []
    for block in blocks(representations):
        part = features.narrow(axis, block.start, block.size).unflatten(axis, block.shape)
        image = act(block, part, axis + block.irrep_axis)
        parts.append(image.flatten(axis + new_axes, axis + new_axes + 1))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=axis + new_axes)
