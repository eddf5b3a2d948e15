"""Adaptive constrained equivariance: Manolache, Chamon and Niepert, NeurIPS 2025 (arXiv 2505.13631)."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.methods.method import Inversion, Method, Rotate
from trainables.relaxation.project import project, projected, reset_statistics
from trainables.relaxation.relax import CompanionName, relax
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers
from trainables.relaxation.schedules import relaxed_steps
from trainables.spec import later


class ACE(Method):
    """y = f_eq(x) + gamma g(x) with gamma trained under the constraint gamma = 0, by primal-dual steps.

    With lambda the multiplier of a layer and c `augmented`, the optimizer descends the augmented Lagrangian
    J + sum (lambda gamma + c gamma^2), and each step ends with lambda <- lambda + dual_lr gamma. The elastic form
    lets a layer keep |gamma| <= u at the price rho u^2 / 2: the violation |gamma| - u replaces gamma
    (its positive part, in the augmented term), lambda <- [lambda + dual_lr (|gamma| - u)]_+ and
    u <- u + slack_lr (lambda - rho u).

    The paper's algorithm is `dual_optimizer: ascent` with linear companions. The released code (andreimano/ACE)
    trains n-body with `dual_optimizer: adam`, dual_lr 8e-4, `companion: mlp` and training.lr 9e-4.

    Args:
        form: Equality is projected like all other relaxations; elastic is for data that are only partly symmetric,
            and delivers the trained model.
        dual_lr, slack_lr: The step sizes of lambda and u.
        rho: The price of u.
        dual_optimizer: How lambda ascends; adam gives each lambda Adam's step with the gradient -violation.
        augmented: c >= 0; with 0, Adam's steps of gamma and lambda may circle for thousands of steps.
        strict_phase: Share of all steps, at the end, in which the projected model is trained (equality).
        rotate: Rotate each step's batch by one random rotation ("batch"), or each graph by a separate one ("graph"),
            so that companions do not learn the poses of the data.
        inversion: Combine each rotation with an inversion with probability 1/2, if the targets respect it.
        layers, companion, init: As in trainables.relaxation.relax.
    """

    revision = 2

    def __init__(
        self,
        *,
        form: Literal["equality", "elastic"] = "equality",
        dual_optimizer: Annotated[Literal["ascent", "adam"], later()] = "ascent",
        dual_lr: Annotated[float, Field(gt=0)] = 8e-4,
        augmented: Annotated[float, later(ge=0)] = 0.0,
        slack_lr: Annotated[float, Field(gt=0)] = 9e-4,
        rho: Annotated[float, Field(gt=0)] = 1.0,
        strict_phase: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        layers: Literal["default", "all"] | list[str] = "default",
        companion: CompanionName = "default",
        init: Annotated[float, Field(ge=0)] | None = None,
        rotate: Annotated[Rotate, later()] = "none",
        inversion: Annotated[Inversion, later()] = False,
    ) -> None:
        self.elastic = form == "elastic"
        self.delivers_strict = not self.elastic
        self.dual_step = adam if dual_optimizer == "adam" else ascent
        self.dual_lr, self.augmented, self.slack_lr, self.rho = dual_lr, augmented, slack_lr, rho
        self.rotate, self.inversion = rotate, inversion
        self.strict_phase = strict_phase
        self.layers, self.companion, self.init = layers, companion, init
        self.step = 0

    def relax(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """The model with companions; gamma starts at 1; lambda, its moments and u start at 0."""
        relaxed = relax(
            model,
            generator,
            layers=self.layers,
            companion=self.companion,
            init=self.init,
            trained_scale=True,
            show=None,
        )
        for layer in relaxed_layers(relaxed).values():
            layer.register_buffer("multiplier", torch.zeros_like(layer.scale))
            layer.register_buffer("slack", torch.zeros_like(layer.scale))
            for moment in MOMENTS:
                layer.register_buffer(moment, torch.zeros_like(layer.scale))
        return relaxed

    def companion_parameters(self, model: nn.Module) -> list[nn.Parameter]:
        """The companions' parameters and the gammas."""
        return [
            parameter
            for layer in relaxed_layers(model).values()
            for parameter in (layer.scale, *layer.companion.parameters())
        ]

    def begin_step(self, model: nn.Module, step: int, steps: int) -> None:
        """Count the steps for Adam's correction of its first moments."""
        self.step = step

    def penalty(self, model: nn.Module) -> Tensor:
        """The constraint terms of the Lagrangian."""
        violations = [self._violation(layer) for layer in relaxed_layers(model).values()]
        multipliers = [layer.multiplier for layer in relaxed_layers(model).values()]
        violation, multiplier = torch.stack(violations), torch.stack(multipliers)
        if not self.augmented:
            return (multiplier * violation).sum()
        excess = violation.clamp(min=0) if self.elastic else violation
        return (multiplier * violation + self.augmented * excess.square()).sum()

    def _violation(self, layer: RelaxedLayer) -> Tensor:
        return layer.scale.abs() - layer.slack if self.elastic else layer.scale

    @torch.no_grad()
    def end_step(self, model: nn.Module) -> None:
        """Ascend in the multipliers, descend in the slacks."""
        for layer in relaxed_layers(model).values():
            multiplier: Tensor = layer.multiplier
            multiplier += self.dual_step(layer, self._violation(layer), self.dual_lr, self.step)
            if self.elastic:
                multiplier.clamp_(min=0)
                layer.slack += self.slack_lr * (multiplier - self.rho * layer.slack)

    def projection_step(self, steps: int) -> int:
        """The first step of the strict phase; after the last step for the elastic form."""
        return steps if self.elastic else relaxed_steps(steps, self.strict_phase)

    def project(self, model: nn.Module) -> nn.Module:
        """The strict model; the elastic form stays as it was trained."""
        if self.elastic:
            return model
        strict = project(model)
        if self.strict_phase > 0:
            reset_statistics(strict)
        return strict

    def delivered(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """The projected model; for the elastic form, the model as it is."""
        return nullcontext(model) if self.elastic else projected(model)

    def theta_now(self, model: nn.Module) -> Tensor:
        """The largest |gamma|, on the device."""
        return torch.stack([layer.scale.detach().abs() for layer in relaxed_layers(model).values()]).max()

    def measures(self, model: nn.Module) -> dict[str, float]:
        """theta (the largest |gamma|), and gamma, lambda and u of each layer by its name; the host waits once."""
        parts = {"gamma": "scale", "lambda": "multiplier", **({"slack": "slack"} if self.elastic else {})}
        tensors = {
            f"{column}.{name}": getattr(layer, part).detach()
            for name, layer in relaxed_layers(model).items()
            for column, part in parts.items()
        }
        if not tensors:
            return {"theta": 0.0}
        columns = dict(zip(tensors, torch.stack(list(tensors.values())).tolist(), strict=True))
        gammas = [abs(value) for name, value in columns.items() if name.startswith("gamma.")]
        return {"theta": max(gammas), **columns}


MOMENTS = ("dual_mean", "dual_square")
"""Adam's moments of each multiplier: buffers of its layer, so that a checkpoint of the model carries them."""


def ascent(layer: RelaxedLayer, violation: Tensor, dual_lr: float, step: int) -> Tensor:
    """The change of lambda by plain gradient ascent, the paper's algorithm."""
    return dual_lr * violation


def adam(layer: RelaxedLayer, violation: Tensor, dual_lr: float, step: int) -> Tensor:
    """The change of lambda by Adam with its usual constants, in step `step` (from 0)."""
    layer.dual_mean.lerp_(violation, 1 - 0.9)
    layer.dual_square.lerp_(violation.square(), 1 - 0.999)
    mean = layer.dual_mean / (1 - 0.9 ** (step + 1))
    root = (layer.dual_square / (1 - 0.999 ** (step + 1))).sqrt()
    return dual_lr * mean / (root + 1e-8)
