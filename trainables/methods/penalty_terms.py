"""The penalties on the companions of one step: their weights, their form, and how they are evaluated."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor

from trainables.relaxation import penalties
from trainables.relaxation.averaged import averaged_penalty
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.relaxed_layer import RelaxedLayer
from trainables.spec import Settings
from trainables.symmetry import Symmetry

LieForm = Literal["averaged", "exact", "random", "sampled"]
PenaltyForm = Literal["mean", "root_sum"]


class Weight(Settings):
    """The weight of a penalty, and its course.

    Attributes:
        course: "constant"; "theta", proportional to theta; "tightening", growing as theta falls from its peak.
    """

    weight: Annotated[float, Field(ge=0)]
    course: Literal["constant", "theta", "tightening"] = "constant"

    def at(self, relative_theta: float) -> float:
        """The weight when theta is this share of its peak."""
        match self.course:
            case "constant":
                return self.weight
            case "theta":
                return self.weight * relative_theta
            case "tightening":
                return self.weight * (1 - relative_theta)


def _weight_alone(value: Any) -> Any:
    return value if isinstance(value, dict | Weight) else {"weight": value}


WeightOrNumber = Annotated[Weight, BeforeValidator(_weight_alone, json_schema_input_type=float | Weight)]
DEFAULT_WEIGHT = Weight(weight=0.01)


class Penalty(Settings):
    """The weights of the penalties (see trainables.relaxation.penalties); a number is a constant weight.

    An omitted weight keeps its default: `{lie: 0.1}` leaves norm at 0.01; `{norm: 0, lie: 0}` means no penalty.

    Attributes:
        parity: Weight and course, as for `lie`; None for those of the Lie term, which it completes in groups with
            inversion.
    """

    norm: WeightOrNumber = DEFAULT_WEIGHT
    lie: WeightOrNumber = DEFAULT_WEIGHT
    parity: WeightOrNumber | None = None


class PenaltyTerms:
    """The weighted penalties of relaxed layers.

    Args:
        penalty: The weights.
        lie_form, form: As `lie_form` and `penalty_form` of trainables.methods.relaxed.
    """

    symmetry: Symmetry
    directions: Tensor
    offset: int
    """These three are set by `begin_step`."""

    def __init__(self, penalty: Penalty, lie_form: LieForm, form: PenaltyForm) -> None:
        self.weights = {
            "norm": penalty.norm,
            "lie": penalty.lie,
            "parity": penalty.lie if penalty.parity is None else penalty.parity,
        }
        self.lie_form, self.form = lie_form, form

    def begin_step(self, step: int, symmetry: Symmetry) -> None:
        """Draw what is random in this step: the generator of the Lie term and the rows of a sample."""
        self.symmetry, self.offset = symmetry, penalties.random_offset(step)
        if self.lie_form in ("random", "sampled") and symmetry.all_rotations:
            self.directions = penalties.random_direction(step)
        else:
            self.directions = symmetry.rotation_axes

    def any_at(self, relative_theta: float) -> bool:
        """Whether any penalty has a nonzero weight when theta is this share of its peak."""
        return any(weight.at(relative_theta) > 0 for weight in self.weights.values())

    def total(self, layers: list[RelaxedLayer], relative_theta: float) -> Tensor | None:
        """The sum of the weighted terms of these layers; None if there is none."""
        weights = {name: weight.at(relative_theta) for name, weight in self.weights.items()}
        terms = (self._roots if self.form == "root_sum" else self._means)(layers, weights)
        return torch.stack(terms).sum() if terms else None

    def deviation(self, layer: RelaxedLayer) -> Tensor:
        """How far a layer is from equivariance: its Lie and parity terms, without weights."""
        weights = {"norm": 0.0, "lie": 1.0, "parity": 1.0}
        return sum(self._means([layer], weights), start=torch.zeros_like(layer.scale))

    def _means(self, layers: list[RelaxedLayer], weights: dict[str, float]) -> list[Tensor]:
        """The weighted terms of each layer, each the mean over the layer's calls."""
        return [
            term / len(layer.calls)
            for layer in layers
            for call in layer.calls
            for term in self._terms(layer, call, weights)
        ]

    def _roots(self, layers: list[RelaxedLayer], weights: dict[str, float]) -> list[Tensor]:
        """For each nonzero weight, the weight times the square root of its term as a sum instead of a mean."""
        terms = []
        for name in (name for name, weight in weights.items() if weight):
            alone = {other: float(other == name) for other in weights}
            sums = [
                len(call.inputs) * sum(part.dim for part in layer.outputs) * term
                for layer in layers
                for call in layer.calls
                for term in self._terms(layer, call, alone)
            ]
            if sums:
                terms.append(weights[name] * penalties.root(torch.stack(sums).sum()))
        return terms

    def _terms(self, layer: RelaxedLayer, call: penalties.Call, weights: dict[str, float]) -> list[Tensor]:
        if not isinstance(layer.companion, LinearCompanion):
            return self._network_terms(layer, call, weights)
        if self.lie_form in ("averaged", "sampled") and self.symmetry.all_rotations:
            return [averaged_penalty(layer, call, weights)]
        terms = []
        if weights["norm"]:
            terms.append(weights["norm"] * penalties.norm(layer, call))
        if weights["lie"]:
            terms.append(weights["lie"] * penalties.lie(layer, call, self.directions))
        reflect = self._reflect() if weights["parity"] else None
        parity = None if reflect is None else penalties.parity(layer, call, reflect)
        terms += [] if parity is None else [weights["parity"] * parity]
        return terms

    def _network_terms(
        self, layer: RelaxedLayer, call: penalties.Call, weights: dict[str, float]
    ) -> list[Tensor]:
        """The terms of a companion that is not a linear map."""
        factor = 1.0
        if self.lie_form == "sampled":
            call, factor = penalties.sample(call, self.offset)
        directions = self.directions if weights["lie"] else None
        reflect = self._reflect() if weights["parity"] else None
        terms = penalties.of_network(layer, call, directions, reflect)
        return [factor * weights[name] * term for name, term in terms.items() if weights[name]]

    def _reflect(self) -> penalties.Reflect | None:
        """The improper element of the task's group: inversion, or its mirror if rotations have one axis."""
        if self.symmetry.all_rotations:
            return penalties.inverted
        return penalties.mirrored(self.symmetry.mirror) if self.symmetry.inversion else None
