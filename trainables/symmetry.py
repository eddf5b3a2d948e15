"""The group of a task, its random elements, and how they act on graphs and on model outputs.

A task may respect fewer than all rotations and translations. Gravity leaves the rotations about the vertical
and the horizontal shifts: with `Symmetry(inversion=False, translations="xz", axis="y")` measures, penalties,
augmentation and the strict check use only these. Nothing else changes: a network that is equivariant under
all rotations is also equivariant under this subgroup.

A task breaks the larger group by an input that the smaller one leaves unchanged, such as the height of a
node, and passes it to the network as an invariant scalar. As a function of positions and scalars, the network
is as equivariant as before; as a function of the data, it respects only the elements that preserve the
scalars: rotating the data about another axis changes the heights too. So `rotate_graph`, which leaves scalars
unchanged, is correct only for elements of the task's group.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from trainables.graph import Graph, Signature

Axis = Literal["x", "y", "z"]


@dataclass(frozen=True)
class Symmetry:
    """The group that a task's targets respect, besides permutations of nodes, which they always respect.

    Attributes:
        inversion: Whether mirror images belong to it: x -> -x, or, if the rotations have an axis, a mirror
            whose plane contains it.
        translations: All, none, or those along the named axes, such as "xz".
        axis: Axis of the rotations; None for all rotations.
    """

    inversion: bool
    translations: bool | str
    axis: Axis | None = None

    @property
    def all_rotations(self) -> bool:
        """Whether every rotation belongs to the group."""
        return self.axis is None

    @property
    def rotation_axes(self) -> Tensor:
        """(k, 3) the directions of the generators of its rotations."""
        return unit_vectors("xyz" if self.axis is None else self.axis)

    @property
    def translation_axes(self) -> Tensor:
        """(k, 3) the directions of its translations; k may be 0."""
        if isinstance(self.translations, str):
            return unit_vectors(self.translations)
        return unit_vectors("xyz" if self.translations else "")

    @property
    def mirror(self) -> Tensor:
        """(3, 3) the improper element, unique up to a rotation of the group; for groups with inversion."""
        mirror = torch.eye(3, dtype=torch.float64)
        for axis in self._mirrored:
            mirror[axis, axis] = -1
        return mirror

    @property
    def _mirrored(self) -> list[int]:
        """The axes that the mirror reverses."""
        if self.axis is None:
            return [0, 1, 2]
        return [0] if self.axis != "x" else [1]

    def random_rotations(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 3, 3) rotations of the group in float64, uniformly distributed."""
        if self.axis is None:
            return random_rotations(count, generator)
        turns = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
        return rotations_about(self.axis, 2 * torch.pi * turns)

    def random_mirrors(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 3, 3) the identity, or with probability 1/2 the mirror image."""
        signs = 1.0 - 2.0 * torch.randint(2, (count,), generator=generator, device=generator.device)
        matrices = torch.eye(3, dtype=torch.float64, device=generator.device).repeat(count, 1, 1)
        for axis in self._mirrored:
            matrices[:, axis, axis] = signs.to(matrices.dtype)
        return matrices


def unit_vectors(axes: str) -> Tensor:
    """(k, 3) the unit vectors of the named axes, in float64."""
    return torch.eye(3, dtype=torch.float64)[["xyz".index(axis) for axis in axes]]


def rotations_about(axis: Axis, angles: Tensor) -> Tensor:
    """(count, 3, 3) the right-handed rotations about an axis by angles (count,), in radians."""
    first = "xyz".index(axis)
    second, third = (first + 1) % 3, (first + 2) % 3
    matrices = torch.zeros(len(angles), 3, 3, dtype=angles.dtype, device=angles.device)
    matrices[:, first, first] = 1
    matrices[:, second, second] = matrices[:, third, third] = angles.cos()
    matrices[:, third, second] = angles.sin()
    matrices[:, second, third] = -angles.sin()
    return matrices


def random_rotations(count: int, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) rotations in float64 on the generator's device, uniform on SO(3).

    From normalized Gaussian quaternions.
    """
    quaternions = torch.randn(count, 4, generator=generator, dtype=torch.float64, device=generator.device)
    w, x, y, z = (quaternions / quaternions.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, 1).view(count, 3, 3)


def rotate_nodes(node_vectors: Tensor, matrices: Tensor) -> Tensor:
    """Rotate (nodes, ..., 3) by (graphs, 3, 3), each graph by its own matrix, or all by one (3, 3)."""
    matrices = matrices.to(node_vectors)
    if matrices.ndim == 2:
        return node_vectors @ matrices.T
    by_graph = node_vectors.reshape(len(matrices), -1, 3)
    return (by_graph @ matrices.transpose(1, 2)).reshape(node_vectors.shape)


def rotate_graph(graph: Graph, matrices: Tensor) -> Graph:
    """The graph with all its vectors transformed by orthogonal matrices, (3, 3) or (graphs, 3, 3)."""
    return replace(
        graph,
        positions=rotate_nodes(graph.positions, matrices),
        vectors=rotate_nodes(graph.vectors, matrices),
    )


def translate_graph(graph: Graph, shift: Tensor) -> Graph:
    """The graph moved by shift (3,)."""
    return replace(graph, positions=graph.positions + shift.to(graph.positions))


def permute_graph(graph: Graph, order: Tensor) -> Graph:
    """The graph whose node i is the old node order[i]; order (nodes,) stays within each graph."""
    topology, edge_scalars = graph.topology, graph.edge_scalars
    if topology is not None:
        new_of_old = torch.empty_like(order)
        new_of_old[order] = torch.arange(len(order), device=order.device)
        senders = new_of_old[topology.senders].unflatten(0, (topology.nodes, topology.num_senders))[order]
        edge_scalars = edge_scalars.unflatten(0, (topology.nodes, topology.num_senders))[order].flatten(0, 1)
        present = None if topology.present is None else topology.present[order]
        topology = replace(topology, senders=senders.flatten(), present=present)
    return replace(
        graph,
        positions=graph.positions[order],
        scalars=graph.scalars[order],
        vectors=graph.vectors[order],
        edge_scalars=edge_scalars,
        topology=topology,
    )


def random_order(graph: Graph, generator: torch.Generator) -> Tensor:
    """(nodes,) a permutation that shuffles the nodes of each graph among themselves."""
    nodes_per_graph = len(graph.positions) // graph.graphs
    orders = [
        index * nodes_per_graph + torch.randperm(nodes_per_graph, generator=generator)
        for index in range(graph.graphs)
    ]
    return torch.cat(orders).to(graph.positions.device)


def rotate_output(signature: Signature, output: Tensor, matrix: Tensor) -> Tensor:
    """The output expected of a model after an orthogonal matrix (3, 3) is applied to its input."""
    return rotate_nodes(output, matrix) if signature.output == "vectors" else output


def permute_output(signature: Signature, output: Tensor, order: Tensor) -> Tensor:
    """The output expected of a model after its nodes are permuted."""
    return output[order] if signature.output == "vectors" else output
