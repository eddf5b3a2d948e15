"""Which layers may be relaxed: those that declare their representations, and e3nn's own linear ones."""

import math

from e3nn import o3
from torch import nn

from trainables.errors import BadInput
from trainables.relaxation.relaxed_layer import Representations
from trainables.relaxation.representation import Representation, irreps


def representations_of(layer: nn.Module) -> tuple[Representations, Representations] | None:
    """How the inputs and the outputs of a layer transform; None if it does not declare it.

    Of a tensor product only the first input counts: the second, such as the spherical harmonics of an edge,
    conditions the layer. Tensor products without weights are parts of nonlinearities and are not relaxed.
    """
    inputs, outputs = getattr(layer, "representation_in", None), getattr(layer, "representation_out", None)
    if inputs is not None and outputs is not None:
        return _as_tuple(inputs), _as_tuple(outputs)
    if isinstance(layer, o3.Linear) and not _has_channel_axis(layer):
        return (irreps(layer.irreps_in),), (irreps(layer.irreps_out),)
    if isinstance(layer, o3.TensorProduct) and layer.weight_numel > 0:
        return (irreps(layer.irreps_in1),), (irreps(layer.irreps_out),)
    return None


def relaxable_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Every layer that may be relaxed, under every name that it has in the model."""
    return {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if representations_of(module) is not None
    }


def check_declaration(name: str, layer: nn.Module) -> tuple[Representations, Representations]:
    """The representations of a relaxable layer.

    Raises:
        BadInput: If axes and irreps do not fit each other.
    """
    representations = representations_of(layer)
    if representations is None:
        raise BadInput(
            f"layer '{name}': does not declare how it transforms; set its representation_in and _out"
        )
    for representation in (*representations[0], *representations[1]):
        if math.prod(representation.shape) != representation.dim:
            raise BadInput(
                f"layer '{name}': the declared axes {representation.shape} have {math.prod(representation.shape)} "
                f"numbers, but the declared irreps {representation.irreps} have {representation.dim}"
            )
    return representations


def _has_channel_axis(layer: o3.Linear) -> bool:
    # With f_in and f_out, which the layer does not store, it has weights for each pair of channels.
    return layer.internal_weights and layer.weight.numel() != layer.weight_numel


def _as_tuple(declared: Representation | Representations) -> Representations:
    return (declared,) if isinstance(declared, Representation) else tuple(declared)
