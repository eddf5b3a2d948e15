"""How far a model is from respecting the symmetry of its task: |f(gx) - g f(x)| / |f(x)|.

Norms are taken over a whole batch, so that a sample whose output happens to be near 0 weighs little.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trainables.graph import Graph, Signature
from trainables.relaxation.action import flatten, has_inversion, rotate
from trainables.relaxation.recognition import check_declaration, relaxable_layers
from trainables.relaxation.relaxed_layer import RelaxedLayer, Representations
from trainables.symmetry import (
    Symmetry,
    permute_graph,
    permute_output,
    random_order,
    rotate_graph,
    rotate_output,
    translate_graph,
)
from trainables.tasks.task import Task, select
from trainables.training.evaluation import evaluating

OutputTransform = Callable[[Tensor], Tensor]
Element = Callable[[Graph, Signature, Symmetry, torch.Generator], tuple[Graph, OutputTransform]]
"""Draws an element g of the group; returns the graph under g, and the function that applies g to outputs."""

STEP = 1e-4
"""Angle and shift of the finite differences: their error is about STEP^2, and the rounding error 1e-16 / STEP."""


def rotation(
    graph: Graph, signature: Signature, symmetry: Symmetry, generator: torch.Generator
) -> tuple[Graph, OutputTransform]:
    """A uniformly random rotation of the group."""
    matrix = symmetry.random_rotations(1, generator)[0]
    return rotate_graph(graph, matrix), lambda output: rotate_output(signature, output, matrix)


def inversion(
    graph: Graph, signature: Signature, symmetry: Symmetry, generator: torch.Generator
) -> tuple[Graph, OutputTransform]:
    """x -> -x, or the group's mirror; not random."""
    matrix = symmetry.mirror
    return rotate_graph(graph, matrix), lambda output: rotate_output(signature, output, matrix)


def translation(
    graph: Graph, signature: Signature, symmetry: Symmetry, generator: torch.Generator
) -> tuple[Graph, OutputTransform]:
    """A normally distributed shift of the group, about as large as the graph itself. Outputs do not change."""
    axes = symmetry.translation_axes
    shift = torch.randn(len(axes), generator=generator, dtype=torch.float64) @ axes
    return translate_graph(graph, graph.positions.std() * shift.to(graph.positions)), lambda output: output


def permutation(
    graph: Graph, signature: Signature, symmetry: Symmetry, generator: torch.Generator
) -> tuple[Graph, OutputTransform]:
    """A uniformly random order of the nodes within each graph."""
    order = random_order(graph, generator)
    return permute_graph(graph, order), lambda output: permute_output(signature, output, order)


def elements(symmetry: Symmetry) -> dict[str, Element]:
    """The kinds of group elements that the targets of a task respect, by name."""
    kinds: dict[str, Element] = {"rotation": rotation, "permutation": permutation}
    if symmetry.inversion:
        kinds["inversion"] = inversion
    if symmetry.translations:
        kinds["translation"] = translation
    return kinds


@torch.no_grad()
def equivariance_errors(
    model: nn.Module,
    graph: Graph,
    signature: Signature,
    symmetry: Symmetry,
    generator: torch.Generator,
    repeats: int = 3,
) -> dict[str, float]:
    """The largest error over `repeats` random elements of each kind, by the name of the kind.

    The precision is that of model and graph. An exact measurement requires a model built under
    `trainables.training.building.default_dtype(torch.float64)`, and a graph from `with_dtype`.
    """
    with evaluating(model):
        output = model(graph)
        return {
            kind: max(
                _error(model, graph, output, element(graph, signature, symmetry, generator))
                for _ in range(1 if element is inversion else repeats)
            )
            for kind, element in elements(symmetry).items()
        }


@torch.no_grad()
def combined_error(
    model: nn.Module, graph: Graph, signature: Signature, symmetry: Symmetry, generator: torch.Generator
) -> float:
    """The error under one random element of each kind, all applied together: two forward passes."""
    moved, transforms = graph, []
    for element in elements(symmetry).values():
        moved, part = element(moved, signature, symmetry, generator)
        transforms.append(part)

    def transform(output: Tensor) -> Tensor:
        for part in transforms:
            output = part(output)
        return output

    with evaluating(model):
        return _error(model, graph, model(graph), (moved, transform))


def delivered_error(model: nn.Module, task: Task, samples: int = 16) -> float:
    """The largest error of a model in float64 over all kinds of elements, on the first validation samples."""
    return max(delivered_errors(model, task, samples).values())


def delivered_errors(model: nn.Module, task: Task, samples: int = 16) -> dict[str, float]:
    """The error of a model in float64 by the kind of element, on the first validation samples."""
    graph = with_dtype(task.graph(select(task.splits["val"], slice(0, samples))), torch.float64)
    generator = torch.Generator().manual_seed(0)
    return equivariance_errors(model, graph, task.signature, task.symmetry, generator)


def history_error(model: nn.Module, task: Task, samples: int = 8) -> float:
    """The error in the model's own precision under one combined element: cheap enough for each epoch."""
    graph = task.graph(select(task.splits["val"], slice(0, samples)))
    graph = with_dtype(graph, next(model.parameters()).dtype)
    generator = torch.Generator().manual_seed(0)
    return combined_error(model, graph, task.signature, task.symmetry, generator)


@torch.no_grad()
def layer_errors(
    model: nn.Module, graph: Graph, signature: Signature, symmetry: Symmetry, generator: torch.Generator
) -> dict[str, float]:
    """The error at the output of each layer whose representations are known, by the layer's name.

    The graph is rotated (and mirrored, if the symmetries of task and layer include it) within the task's
    group, and each layer's output inside the network is compared with the expected one: the first large value
    is at the first layer that breaks the symmetry.
    """
    matrices = symmetry.random_rotations(1, generator)
    if symmetry.inversion:
        matrices = torch.cat([matrices, symmetry.mirror @ matrices])
    with evaluating(model):
        outputs = _layer_outputs(model, graph)
        errors = dict.fromkeys(outputs, 0.0)
        for matrix in matrices:
            moved_outputs = _layer_outputs(model, rotate_graph(graph, matrix))
            for name, (representations, values) in outputs.items():
                if torch.linalg.det(matrix) < 0 and not has_inversion(representations):
                    continue
                expected = rotate(representations, values, matrix)
                errors[name] = max(errors[name], _relative(moved_outputs[name][1], expected))
    return errors


@torch.no_grad()
def lie_derivative_errors(
    model: nn.Module, graph: Graph, signature: Signature, symmetry: Symmetry
) -> dict[str, float]:
    """|L f| / |f| with L f = d/dt g(-t) f(g(t) x) at t = 0, the norm over the group's generators of a kind.

    The local measure of Gruver et al. 2022 (arXiv 2210.02984), by central differences: meant for float64, where
    it is exact to about 1e-8. Infinitesimal translations are in the unit of the positions.
    """
    basis = torch.eye(3, dtype=torch.float64)

    def rotated(axis: Tensor, t: float) -> Tensor:
        matrix = torch.matrix_exp(t * torch.linalg.cross(axis.expand(3, 3), basis).T)
        return rotate_output(signature, model(rotate_graph(graph, matrix)), matrix.T)

    def translated(axis: Tensor, t: float) -> Tensor:
        return model(translate_graph(graph, t * axis))

    curves = {"rotation": (rotated, symmetry.rotation_axes)}
    if symmetry.translations:
        curves["translation"] = (translated, symmetry.translation_axes)
    with evaluating(model):
        size = model(graph).norm()
        return {
            kind: float(
                torch.stack([(curve(axis, STEP) - curve(axis, -STEP)) / (2 * STEP) for axis in axes]).norm()
                / size
            )
            for kind, (curve, axes) in curves.items()
        }


def with_dtype(graph: Graph, dtype: torch.dtype) -> Graph:
    """The graph with all its features in `dtype`."""
    return replace(
        graph,
        positions=graph.positions.to(dtype),
        scalars=graph.scalars.to(dtype),
        vectors=graph.vectors.to(dtype),
        edge_scalars=graph.edge_scalars.to(dtype),
    )


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _error(model: nn.Module, graph: Graph, output: Tensor, moved: tuple[Graph, OutputTransform]) -> float:
    moved_graph, transform = moved
    return _relative(model(moved_graph), transform(output))


def _layer_outputs(model: nn.Module, graph: Graph) -> dict[str, tuple[Representations, Tensor]]:
    outputs: dict[str, tuple[Representations, Tensor]] = {}
    hooks = []
    relaxed = {name: layer for name, layer in model.named_modules() if isinstance(layer, RelaxedLayer)}
    for name, layer in (relaxable_layers(model) | relaxed).items():
        representations = (
            layer.outputs if isinstance(layer, RelaxedLayer) else check_declaration(name, layer)[1]
        )

        def keep(
            _layer: nn.Module,
            _inputs: Any,
            output: Tensor | tuple[Tensor, ...],
            name: str = name,
            representations: Representations = representations,
        ) -> None:
            tensors = (output,) if isinstance(output, Tensor) else output
            outputs[name] = (representations, flatten([part.dim for part in representations], tensors))

        hooks.append(layer.register_forward_hook(keep))
    try:
        model(graph)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs
