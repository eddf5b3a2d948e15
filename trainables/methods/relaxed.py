"""Constraint relaxation on a schedule: Pertigkiozoglou et al., NeurIPS 2024 (arXiv 2408.13242)."""

from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.methods.method import Inversion, Method, Rotate
from trainables.methods.penalty_terms import LieForm, Penalty, PenaltyForm, PenaltyTerms
from trainables.relaxation.controllers import Steering, check_course, is_controller
from trainables.relaxation.project import can_fold, project, projected, reset_statistics
from trainables.relaxation.relax import CompanionName, relax
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.relaxation.schedules import relaxed_steps, theta
from trainables.spec import Share, later


class Relaxed(Method):
    """Companions beside the strict layers, whose strength theta falls to exactly 0; then a strict phase.

    Args:
        schedule: triangle, linear, cosine, exponential, step, hold, constant, `package.module:function` (see
            trainables.relaxation.schedules), or `package.module:Class`, a controller that sets theta for each layer
            from what it observes (see trainables.relaxation.controllers; it ignores `warmup`).
        peak: Largest theta.
        warmup: Share of the relaxed steps in which theta rises, None for the schedule's own.
        strict_phase: Share of all steps, at the end, in which the projected model is trained.
        penalty: Weights of the penalties on the companions.
        projection: Drop the companions, or fold their equivariant part into those strict layers that are linear;
            these differ only if theta is cut to 0 rather than lowered gradually, as by "constant".
        penalty_form: "mean" adds means over samples and entries; "root_sum", the form of the released code, for each
            penalty the square root of the sum over all layers, samples and entries, so that the same weight counts
            for more in a larger batch or network.
        rotate: Rotate each step's batch by one random rotation ("batch"), or each graph by a separate one ("graph"),
            so that companions do not learn the poses of the data.
        inversion: Combine each rotation with an inversion with probability 1/2, if the targets respect it.
        layers, companion, init: As in trainables.relaxation.relax.
        lie_form: How the penalties of linear companions are evaluated. "averaged" takes the mean over all rotated
            copies of the batch, exactly and at the cost of one product (trainables.relaxation.averaged). "exact"
            takes the batch as it is (trainables.relaxation.penalties); so does "random", but with the Lie term for
            one random generator in each step (unbiased). Other companions have no such averages and are evaluated as
            by "exact"; so are all companions on tasks with rotations about one axis only, which have a single
            generator. "sampled" differs from "averaged" for these other companions: it evaluates all penalties on
            every fourth row of the batch, starting at a random one, and the Lie term for one random generator. This
            is unbiased, except for the root of `penalty_form: root_sum`, and cheaper for Equiformer, at a deviation
            of 6% of the penalty in each step.
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
        lie_form: LieForm = "averaged",
        penalty_form: Annotated[PenaltyForm, later()] = "mean",
        rotate: Annotated[Rotate, later()] = "none",
        inversion: Annotated[Inversion, later()] = False,
    ) -> None:
        self.schedule, self.peak, self.warmup, self.strict_phase = schedule, peak, warmup, strict_phase
        self.penalties = PenaltyTerms(penalty, lie_form, penalty_form)
        self.whole_batch = penalty_form == "root_sum"
        self.rotate, self.inversion = rotate, inversion
        self.fold = projection == "fold"
        self.layers, self.companion, self.init = layers, companion, init
        self.theta = 0.0
        self.steering = Steering(schedule) if is_controller(schedule) else None
        self.thetas: dict[str, float] = {}

    def relax(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """The model with companions, at theta = 0 until the first step begins.

        Raises:
            BadInput: If companions shall be folded and no layer can take one.
        """
        relaxed = relax(
            model, generator, layers=self.layers, companion=self.companion, init=self.init, show=None
        )
        if self.fold and not any(map(can_fold, relaxed_layers(relaxed).values())):
            raise BadInput(
                "projection: fold has nothing to fold into in these layers; use drop, or relax linear layers"
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
        """Set theta, the random numbers of the penalties, and what the forward pass must record."""
        relaxed, layers = relaxed_steps(steps, self.strict_phase), list(relaxed_layers(model))
        if self.steering is None:
            one = theta(self.schedule, step, relaxed, self.peak, self.warmup)
            self._set_thetas(model, dict.fromkeys(layers, one))
        else:
            shares = self.steering.begin(layers, step, relaxed)
            self._set_thetas(model, {layer: self.peak * share for layer, share in shares.items()})
        self.penalties.begin_step(step, self.symmetry)

    def _set_thetas(self, model: nn.Module, thetas: dict[str, float]) -> None:
        self.thetas, self.theta = thetas, max(thetas.values())
        penalized = self.penalties.any_at(self.theta / self.peak)
        for name, layer in relaxed_layers(model).items():
            layer.set_strength(thetas[name], recording=penalized or self.steering is not None)

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The weighted penalties of this step, in the chosen form; None if theta is 0."""
        layers = list(relaxed_layers(model).values())
        with torch.autocast(layers[0].scale.device.type, enabled=False):
            return self.penalties.total(layers, self.theta / self.peak)

    @torch.no_grad()
    def watched(self, model: nn.Module) -> Tensor | None:
        """For a controller: by layer the Lie and parity terms, each the mean over the layer's calls."""
        if self.steering is None:
            return None
        return torch.stack([self.penalties.deviation(layer) for layer in relaxed_layers(model).values()])

    def observe(self, model: nn.Module, loss: float, watched: list[float]) -> None:
        """Pass both on to the controller."""
        if self.steering is not None:
            self.steering.observe(loss, dict(zip(relaxed_layers(model), watched, strict=True)))

    def state(self) -> dict[str, Any]:
        """The state of the controller."""
        return {} if self.steering is None else self.steering.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the controller."""
        if self.steering is not None:
            self.steering.load_state(state)

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
        """theta, the largest of all layers; with a controller, also that of each layer by its name."""
        relaxed = relaxed_layers(model)
        by_layer = relaxed if self.steering is not None else {}
        return {
            "theta": self.theta if relaxed else 0.0,
            **{f"theta.{name}": self.thetas[name] for name in by_layer},
        }
