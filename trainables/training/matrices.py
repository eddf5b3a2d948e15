"""Which slices of a network's parameters act as matrices, and which of these belong to hidden layers.

Optimizers that treat a matrix as a whole (Muon, Adam with normalized blocks) need to know: an equivariant
layer keeps many matrices in one parameter, one for each irrep and each path by which a product leads to it,
and a parameter with two axes need not be a matrix (the gains of a norm by degree and channel). So layers
declare their matrices, as they declare how they transform: by a method `matrices()`, which returns
two-dimensional views of their parameters. PyTorch's `nn.Linear`, e3nn's `o3.Linear` and e3nn's tensor
products need no such declaration.

All layers are hidden except embeddings and read-outs. A model's class names these in `embedding_layers` and
`read_out_layers`, patterns (fnmatch) of layer names; in a model that does not, the first layer with a matrix
is the embedding, and the last is the read-out, in the order in which they were added to the model.
"""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from e3nn import o3
from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.relaxation.relaxed_layer import RelaxedLayer

MIXING_MODES = ("uvw", "uuw", "u<vw")
"""Connections of an e3nn tensor product whose weights mix channels; others weight each channel alone."""


@dataclass(frozen=True)
class Matrix:
    """A slice of a parameter that acts as one matrix.

    Attributes:
        shape, stride, offset: Its place in the parameter, counted in entries.
    """

    parameter: nn.Parameter
    shape: tuple[int, int]
    stride: tuple[int, int]
    offset: int

    def of(self, tensor: Tensor) -> Tensor:
        """This slice (rows, columns) of a tensor that is laid out like the parameter, as a view."""
        return tensor.as_strided(self.shape, self.stride, tensor.storage_offset() + self.offset)

    @property
    def entries(self) -> int:
        return self.shape[0] * self.shape[1]


def hidden_matrices(model: nn.Module) -> list[Matrix]:
    """The matrices of the hidden layers of a model, strict or relaxed, in its order.

    A companion counts as part of its layer. A slice with only one row or one column counts as a vector.

    Raises:
        BadInput: If `matrices()` of a layer returns anything but two-dimensional views of its parameters.
    """
    layers = list(layer_matrices(model))
    names = list(dict.fromkeys(name for name, _ in layers))
    outer = {
        *_declared(model, "embedding_layers", names, names[:1]),
        *_declared(model, "read_out_layers", names, names[-1:]),
    }
    return [matrix for name, matrix in layers if name not in outer and min(matrix.shape) > 1]


def layer_matrices(model: nn.Module) -> Iterator[tuple[str, Matrix]]:
    """Layer name and matrix, for each matrix of a model, including those with a single row or column.

    If layers are nested, the outermost that declares its matrices counts; if they share parameters, the
    first.

    Raises:
        BadInput: As `hidden_matrices` does.
    """
    wrapped = [name for name, module in model.named_modules() if isinstance(module, RelaxedLayer)]
    claimed: set[int] = set()
    for name, module in model.named_modules():
        found = [_locate(name, module, view) for view in _views(module)]
        for matrix in found:
            if id(matrix.parameter) not in claimed:
                yield _strict_name(name, wrapped), matrix
        claimed |= {id(matrix.parameter) for matrix in found}


def _views(module: nn.Module) -> Iterable[Tensor]:
    """The matrices of one layer, as views of its parameters; empty if it declares none."""
    declared = getattr(module, "matrices", None)
    # Only its own method: a relaxed layer forwards unknown attributes to its strict one.
    if inspect.ismethod(declared) and declared.__self__ is module:
        return declared()
    if isinstance(module, nn.Linear):
        return [module.weight]
    if isinstance(module, o3.Linear):
        if not module.internal_weights or module.weight.numel() != module.weight_numel:
            return []
        return list(module.weight_views())
    if isinstance(module, o3.TensorProduct) and module.internal_weights:
        return [
            view.flatten(0, -2)
            for _, instruction, view in module.weight_views(yield_instruction=True)
            if instruction.connection_mode in MIXING_MODES
        ]
    return []


def _locate(name: str, module: nn.Module, view: Tensor) -> Matrix:
    """The place of a view in the parameters of its layer."""
    for parameter in module.parameters():
        if view.untyped_storage().data_ptr() == parameter.untyped_storage().data_ptr():
            offset = view.storage_offset() - parameter.storage_offset()
            if view.ndim == 2 and offset >= 0 and view.numel() <= parameter.numel():
                (rows, columns), (down, right) = view.shape, view.stride()
                return Matrix(parameter, (rows, columns), (down, right), int(offset))
    raise BadInput(
        f"layer '{name}': matrices() must return two-dimensional views of the layer's parameters, "
        f"not a separate tensor of shape {tuple(view.shape)}"
    )


def _strict_name(name: str, wrapped: Sequence[str]) -> str:
    """The name that a layer has, or had, in the strict model; a companion has that of the layer beside it."""
    for wrapper in reversed(wrapped):  # inner ones first
        prefix = f"{wrapper}." if wrapper else ""
        if name.startswith((f"{prefix}companion", f"{prefix}strict")):
            inside = name[len(prefix) :].partition(".")[2]
            inside = "" if name.startswith(f"{prefix}companion") else inside
            name = ".".join(part for part in (wrapper, inside) if part)
    return name


def _declared(model: nn.Module, attribute: str, names: Sequence[str], otherwise: Sequence[str]) -> list[str]:
    patterns = getattr(type(model), attribute, None)
    if patterns is None:
        return list(otherwise)
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
