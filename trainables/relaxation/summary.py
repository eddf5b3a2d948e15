"""A summary of a relaxed model: its relaxed layers, the parameters they add, and layers that are never called."""

from torch import nn

from trainables.errors import BadInput
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers

LARGE_GROWTH = 3.0
"""Growth in parameters above which a relaxed model gets a warning."""


def added_parameters(layer: RelaxedLayer) -> int:
    """The number of parameters that relaxing added to one layer: its companion's, and its scale if trained."""
    strict = {id(parameter) for parameter in layer.strict.parameters()}
    return sum(parameter.numel() for parameter in layer.parameters() if id(parameter) not in strict)


def growth(model: nn.Module) -> float:
    """The number of parameters of a relaxed model over that of the strict one; inf if the strict one has none."""
    total = sum(parameter.numel() for parameter in model.parameters())
    strict = total - sum(map(added_parameters, relaxed_layers(model).values()))
    return total / strict if strict else float("inf")


def summary(model: nn.Module) -> str:
    """The relaxed layers of a model with the parameters that each adds, one line each below a line of totals."""
    layers = relaxed_layers(model)
    total = sum(parameter.numel() for parameter in model.parameters())
    added = sum(map(added_parameters, layers.values()))
    lines = [f"{len(layers)} relaxed layers add {added:,} parameters to {total - added:,}:"]
    lines += [
        f"  {name or '(the model)'} ({type(layer.strict).__name__}): {added_parameters(layer):,}"
        for name, layer in layers.items()
    ]
    return "\n".join(lines)


def growth_warning(model: nn.Module) -> str | None:
    """One line on how much a relaxed model has grown, if that is more than threefold; else None."""
    times = growth(model)
    if times <= LARGE_GROWTH:
        return None
    largest = max(relaxed_layers(model).values(), key=added_parameters)
    return (
        f"relaxing makes the model {times:.1f} times as large, most of it in layer '{largest.name}' "
        f"({added_parameters(largest):,} parameters); name fewer layers with `layers`"
    )


def uncalled_layers(model: nn.Module) -> list[str]:
    """The relaxed layers that no forward pass has reached so far, by name.

    A layer that is not called through its parent's attribute (compiled or scripted separately, kept in a list or in a
    helper object) is still the strict one there: the model would silently train strict.
    """
    return [name for name, layer in relaxed_layers(model).items() if not layer.called]


def check_called(model: nn.Module) -> int:
    """The number of relaxed layers if forward passes have reached all of them; else BadInput naming the others."""
    uncalled = uncalled_layers(model)
    if uncalled:
        raise BadInput(
            f"model: relaxed layers that are never called: {', '.join(uncalled)}; call each as an "
            "attribute of its parent module (not compiled or scripted alone, nor through a list or a helper object), "
            "or leave it out with `layers`"
        )
    return len(relaxed_layers(model))
