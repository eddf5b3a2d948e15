"""Relaxation in your own training loop: one object that keeps track of step, theta and projection."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.relaxation import penalties
from trainables.relaxation.averaged import averaged_penalty
from trainables.relaxation.companions import LinearCompanion
from trainables.relaxation.project import project, reset_statistics
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import Call, RelaxedLayer, relaxed_layers
from trainables.relaxation.schedules import check_schedule, relaxed_steps, theta
from trainables.relaxation.summary import check_called


class Relaxation:
    """A model that is relaxed for most of its training and strict at the end.

        relaxation = Relaxation(network, steps=1000)
        optimizer = torch.optim.Adam(relaxation.model.parameters())
        for x, y in batches:                    # 1000 of them
            relaxation.step()
            loss = mse(relaxation.model(x), y) + relaxation.penalty()
            ...                                 # backward and the optimizer's step, as usual
        network = relaxation.finish()

    Attributes:
        model: The model to train: with companions at first, strict from the strict phase on. Its strict parameters
            stay the same tensors throughout, so that one optimizer is enough.
        theta: The strength of the companions in the current step; 0.0 before the first.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        steps: int,
        schedule: str = "triangle",
        penalty: float = 0.01,
        strict_phase: float = 0.1,
        layers: Literal["default", "all"] | Sequence[str] = "default",
        companion: Literal["default", "linear", "mlp"] = "default",
        init: float | None = None,
        generator: torch.Generator | None = None,
        show: Callable[[str], None] | None = print,
    ) -> None:
        """Relax the model, in place except for the root.

        Args:
            model: A strict model.
            steps: Optimizer steps of the whole training.
            schedule: Name of the course of theta; see `trainables.relaxation.schedules`.
            penalty: Weight of each of the three penalties (norm, Lie, parity); 0 for none.
            strict_phase: Share of the steps, at the end, in which the strict model is trained.
            layers, companion, init, generator, show: As in `relax`.

        Raises:
            BadInput: If the schedule is unknown, a number is out of range, or `relax` finds no layer to relax.
        """
        if steps < 1 or penalty < 0 or not 0 <= strict_phase < 1:
            raise BadInput("Relaxation: steps must be 1 or more, penalty 0 or more, strict_phase in [0, 1)")
        try:
            self._schedule = check_schedule(schedule)
        except ValueError as error:
            raise BadInput(f"schedule: {error}") from error
        self._relaxed_steps = relaxed_steps(steps, strict_phase)
        self._weights = {"norm": penalty, "lie": penalty, "parity": penalty}
        self._recording = penalty > 0
        self._done = 0
        self.theta = 0.0
        self.model = relax(model, generator, layers=layers, companion=companion, init=init, show=show)
        for layer in relaxed_layers(self.model).values():
            layer.set_strength(0.0)

    def step(self) -> None:
        """Begin a step, before its forward pass: set theta, and project if the strict phase begins with it.

        Raises:
            BadInput: If the forward passes so far have not reached every relaxed layer.
        """
        if self._done == 1:
            check_called(self.model)
        if self._done == self._relaxed_steps:
            self._project()
        self.theta = theta(self._schedule, self._done, self._relaxed_steps)
        for layer in relaxed_layers(self.model).values():
            layer.set_strength(self.theta, recording=self._recording)
        self._done += 1

    def penalty(self) -> Tensor:
        """The term to add to the loss of this step: a tensor (), 0 if theta is 0 or no penalty is used."""
        terms = [
            _weighted(layer, call, self._weights) / len(layer.calls)
            for layer in relaxed_layers(self.model).values()
            for call in layer.calls
        ]
        return torch.stack(terms).sum() if terms else torch.zeros((), device=_device(self.model))

    def finish(self) -> nn.Module:
        """The strict model, with the class, parameters and state_dict keys of the original."""
        if relaxed_layers(self.model):
            self._project()
        return self.model

    def _project(self) -> None:
        if self._done:
            check_called(self.model)
        self.model = project(self.model)
        self.theta = 0.0
        reset_statistics(self.model)


def _weighted(layer: RelaxedLayer, call: Call, weights: dict[str, float]) -> Tensor:
    if isinstance(layer.companion, LinearCompanion):
        return averaged_penalty(layer, call, weights)
    terms = penalties.of_network(layer, call, penalties.AXES, penalties.inverted)
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def _device(model: nn.Module) -> torch.device | None:
    return next((parameter.device for parameter in model.parameters()), None)
