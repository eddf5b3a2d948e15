"""Constraint relaxation on a schedule: Pertigkiozoglou et al., NeurIPS 2024 (arXiv 2408.13242)."""

from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BeforeValidator, Field
from torch import Tensor, nn

from trainables.methods.method import Method, Rotate
from trainables.relaxation import penalties
from trainables.relaxation.averaged import averaged_penalty
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.controllers import Steering, check_course, is_controller
from trainables.relaxation.project import project, projected, reset_statistics
from trainables.relaxation.relax import CompanionName, relax
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers
from trainables.relaxation.schedules import relaxed_steps, theta
from trainables.spec import Settings, Share, later


class Weight(Settings):
    """The weight of a penalty, and its course.

    Attributes:
        course: "constant"; "theta", proportional to theta; "tightening", growing as theta falls from its peak.
    """

    weight: Annotated[float, Field(ge=0)]
    course: Literal["constant", "theta", "tightening"] = "constant"

    def at(self, relative_theta: float) -> float:
        """The weight where theta is this share of its peak."""
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
USUAL = Weight(weight=0.01)


class Penalty(Settings):
    """The weights of the penalties (see trainables.relaxation.penalties); a number is a constant weight.

    An omitted weight keeps its default: `{lie: 0.1}` leaves norm at 0.01; no penalty at all is `{norm: 0, lie: 0}`.

    Attributes:
        parity: As `lie`, weight and course; None for the weight of the Lie term, which it completes in groups with
            inversion.
    """

    norm: WeightOrNumber = USUAL
    lie: WeightOrNumber = USUAL
    parity: WeightOrNumber | None = None


class Relaxed(Method):
    """Companions beside the strict layers, whose strength theta goes to exactly 0; then a strict phase.

    Args:
        schedule: triangle, linear, cosine, exponential, step, hold, constant, `package.module:function` (see
            trainables.relaxation.schedules), or `package.module:Class`, a controller that sets theta for each layer
            by what it observes (see trainables.relaxation.controllers; it ignores `warmup`).
        peak: Largest theta.
        warmup: Share of the relaxed steps in which theta rises, None for the schedule's own.
        strict_phase: Share of all steps, at the end, in which the projected model is trained.
        penalty: Weights of the penalties on the companions.
        projection: Drop the companions, or fold their equivariant part into the strict layers; these differ only if
            theta is cut to 0 rather than lowered gradually, as by "constant".
        penalty_form: "mean" adds means over samples and entries; "root_sum", the form of the released code, for each
            penalty the square root of the sum over all layers, samples and entries, so that a weight means more the
            larger the batch and the network are.
        rotate: Rotate each step's batch by one random rotation ("batch"), or each graph by a separate one ("graph"),
            so that companions do not learn the poses of the data.
        inversion: Also invert with probability 1/2, if the targets respect it.
        layers, companion, init: As in trainables.relaxation.relax.
        lie_form: How the penalties of linear companions are evaluated. "averaged" takes the mean over all rotated
            copies of the batch, exactly and at the cost of one product (trainables.relaxation.averaged); "exact" the
            batch as it is (trainables.relaxation.penalties); "random" that too, but the Lie term for one random
            generator in each step (unbiased). Other companions have no such averages and are evaluated as by "exact";
            so are all companions on tasks with rotations about one axis only, which have a single generator.
            "sampled" differs from "averaged" for these other companions: all penalties on every fourth row of the
            batch, from a random one on, and the Lie term for one random generator: unbiased but for the root of
            `penalty_form: root_sum`, and cheaper for Equiformer, at a deviation of 6% of the penalty in each step.
    """

    revision = 2

    def __init__(
        self,
        *,
        schedule: Annotated[str, AfterValidator(check_course)] = "triangle",
        peak: Annotated[float, Field(gt=0)] = 1.0,
        warmup: Share | None = None,
        strict_phase: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        penalty: Penalty = Penalty(),  # noqa: B008
        projection: Literal["drop", "fold"] = "drop",
        layers: Literal["default", "all"] | list[str] = "default",
        companion: CompanionName = "default",
        init: Annotated[float, Field(ge=0)] | None = None,
        lie_form: Literal["averaged", "exact", "random", "sampled"] = "averaged",
        penalty_form: Annotated[Literal["mean", "root_sum"], later()] = "mean",
        rotate: Annotated[Rotate, later()] = "none",
        inversion: Annotated[bool, later()] = False,
    ) -> None:
        self.schedule, self.peak, self.warmup, self.strict_phase = schedule, peak, warmup, strict_phase
        self.weights = {
            "norm": penalty.norm,
            "lie": penalty.lie,
            "parity": penalty.lie if penalty.parity is None else penalty.parity,
        }
        self.rotate, self.inversion = rotate, inversion
        self.fold = projection == "fold"
        self.layers, self.companion, self.init = layers, companion, init
        self.lie_form = lie_form
        self.whole_batch = self.root_of_sum = penalty_form == "root_sum"
        self.theta = 0.0
        self.steering = Steering(schedule) if is_controller(schedule) else None
        self.thetas: dict[str, float] = {}
        self.directions = self.symmetry.rotation_axes
        self.offset = 0

    def relax(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """The model with companions, at theta = 0 until the first step begins."""
        relaxed = relax(
            model, generator, layers=self.layers, companion=self.companion, init=self.init, show=None
        )
        self._set_thetas(relaxed, dict.fromkeys(relaxed_layers(relaxed), 0.0))
        return relaxed

    def companion_parameters(self, model: nn.Module) -> list[nn.Parameter]:
        """The parameters of all companions."""
        return [
            parameter
            for layer in relaxed_layers(model).values()
            for parameter in layer.companion.parameters()
        ]

    def begin_step(self, model: nn.Module, step: int, steps: int) -> None:
        """Set theta, the direction of the random generator, and what the forward pass must keep."""
        relaxed, layers = relaxed_steps(steps, self.strict_phase), list(relaxed_layers(model))
        if self.steering is None:
            one = theta(self.schedule, step, relaxed, self.peak, self.warmup)
            self._set_thetas(model, dict.fromkeys(layers, one))
        else:
            shares = self.steering.begin(layers, step, relaxed)
            self._set_thetas(model, {layer: self.peak * share for layer, share in shares.items()})
        self.offset = penalties.random_offset(step)
        if self.lie_form in ("random", "sampled") and self.symmetry.all_rotations:
            self.directions = penalties.random_direction(step)
        else:
            self.directions = self.symmetry.rotation_axes

    def _set_thetas(self, model: nn.Module, thetas: dict[str, float]) -> None:
        self.thetas, self.theta = thetas, max(thetas.values())
        penalized = any(weight.at(self.theta / self.peak) > 0 for weight in self.weights.values())
        for name, layer in relaxed_layers(model).items():
            layer.set_strength(thetas[name], recording=penalized or self.steering is not None)

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The weighted penalties of this step, in the chosen form; None if theta is 0."""
        weights = {name: weight.at(self.theta / self.peak) for name, weight in self.weights.items()}
        layers = list(relaxed_layers(model).values())
        with torch.autocast(layers[0].scale.device.type, enabled=False):
            terms = (self._roots if self.root_of_sum else self._means)(layers, weights)
        return torch.stack(terms).sum() if terms else None

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

    @torch.no_grad()
    def watched(self, model: nn.Module) -> Tensor | None:
        """For a controller: by layer the Lie and parity terms, each the mean over the layer's calls."""
        if self.steering is None:
            return None
        weights = {"norm": 0.0, "lie": 1.0, "parity": 1.0}
        layers = relaxed_layers(model).values()
        return torch.stack(
            [sum(self._means([layer], weights), start=torch.zeros_like(layer.scale)) for layer in layers]
        )

    def observe(self, model: nn.Module, loss: float, watched: list[float]) -> None:
        """Pass it on to the controller."""
        if self.steering is not None:
            self.steering.observe(loss, dict(zip(relaxed_layers(model), watched, strict=True)))

    def state(self) -> dict[str, Any]:
        """The state of the controller."""
        return {} if self.steering is None else self.steering.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the controller."""
        if self.steering is not None:
            self.steering.load_state(state)

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
        """The terms of a companion that is no linear map."""
        factor = 1.0
        if self.lie_form == "sampled":
            call, factor = penalties.sample(call, self.offset)
        directions = self.directions if weights["lie"] else None
        reflect = self._reflect() if weights["parity"] else None
        terms = penalties.of_network(layer, call, directions, reflect)
        return [factor * weights[name] * term for name, term in terms.items() if weights[name]]

    def _reflect(self) -> penalties.Reflect | None:
        """The improper element of the task's group: inversion, or its mirror where rotations have one axis."""
        if self.symmetry.all_rotations:
            return penalties.inverted
        return penalties.mirrored(self.symmetry.mirror) if self.symmetry.inversion else None

    def projection_step(self, steps: int) -> int:
        """The first step of the strict phase."""
        return relaxed_steps(steps, self.strict_phase)

    def project(self, model: nn.Module) -> nn.Module:
        """The strict model; statistics of batch-norms are reset if a strict phase follows."""
        strict = project(model, fold=self.fold)
        if self.strict_phase > 0:
            reset_statistics(strict)
        return strict

    def delivered(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """The projected model."""
        return projected(model, fold=self.fold)

    def theta_now(self, model: nn.Module) -> float:
        """theta"""
        return self.theta

    def measures(self, model: nn.Module) -> dict[str, float]:
        """theta, the largest of all layers; under a controller that of each layer by its name too."""
        relaxed = relaxed_layers(model)
        by_layer = relaxed if self.steering is not None else {}
        return {
            "theta": self.theta if relaxed else 0.0,
            **{f"theta.{name}": self.thetas[name] for name in by_layer},
        }
