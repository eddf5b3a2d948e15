"""What relaxing has made of a model: its relaxed layers, what they cost, and which of them are never called."""

from torch import nn

from trainables.errors import BadInput
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers

LARGE_GROWTH = 3.0
"""How many times its strict size a relaxed model may have before a warning is due."""


def added_parameters(layer: RelaxedLayer) -> int:
    """The number of parameters that relaxing gave to one layer: its companion's, and its scale if trained."""
    strict = {id(parameter) for parameter in layer.strict.parameters()}
    return sum(parameter.numel() for parameter in layer.parameters() if id(parameter) not in strict)


def growth(model: nn.Module) -> float:
    """How many times as many parameters a relaxed model has as the strict one; inf beside a strict one of none."""
    total = sum(parameter.numel() for parameter in model.parameters())
    strict = total - sum(map(added_parameters, relaxed_layers(model).values()))
    return total / strict if strict else float("inf")


def summary(model: nn.Module) -> str:
    """The relaxed layers of a model with the parameters that each adds, one line each after a line on the whole."""
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
    """One line that says by how much a relaxed model has grown, where that is more than threefold; else None."""
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

    A layer that is called by another way than its parent's attribute (compiled or scripted on its own, kept in a
    list or in a helper object) is still the strict one there: the model would train strict without a word.
    """
    return [name for name, layer in relaxed_layers(model).items() if not layer.called]


def check_called(model: nn.Module) -> int:
    """The number of relaxed layers, all of which forward passes have reached; BadInput that names the others."""
    uncalled = uncalled_layers(model)
    if uncalled:
        raise BadInput(
            f"model: relaxed layers that are never called: {', '.join(uncalled)}; call each as an "
            "attribute of its parent module (not compiled or scripted alone, nor through a list or a helper object), "
            "or leave it out with `layers`"
        )
    return len(relaxed_layers(model))
