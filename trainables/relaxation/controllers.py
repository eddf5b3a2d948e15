"""Controllers, an alternative to schedules: they set theta for each layer from what they observe during training.

A controller is a class whose constructor takes no arguments and that has the two methods of `Controller`. A config
names it as `schedule: package.module:Class`. It returns theta in units of the method's `peak`, by layer or as one
number for all: `start` returns that of the first step, and `observe`, called after each step, that of the next one.
In the last relaxed step theta must be exactly 0, so that the projection changes nothing.

Its attributes are its state, which is saved in checkpoints: numbers, strings, lists, dicts and tensors.
The host waits for the device in each step, since a controller runs on the host.
"""

import inspect
import io
import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Protocol

import torch

from trainables.errors import BadInput
from trainables.relaxation.schedules import FALLS, check_schedule, fall

Theta = float | Mapping[str, float]


class Controller(Protocol):
    """The interface of a controller."""

    def start(self, layers: list[str], steps: int) -> Theta:
        """Theta of the first of `steps` relaxed steps, for the relaxed layers of these names."""
        ...

    def observe(self, loss: float, violations: Mapping[str, float]) -> Theta:
        """Theta of the next step.

        Args:
            loss: Loss of the batch of this step.
            violations: By layer the Lie and parity terms of its companion on that batch (see penalties), without
                weights; 0 for a layer whose theta is 0.
        """
        ...


class Stalling:
    """Lets theta fall linearly to 0, and faster in layers whose violation does not fall with it.

    In each step in which the running mean of a layer's violation is not 0.1% below its lowest so far, the layer's
    theta is also reduced by a tenth.
    """

    def start(self, layers: list[str], steps: int) -> Theta:
        self.step, self.steps = 0, steps
        self.factors = dict.fromkeys(layers, 1.0)
        self.means: dict[str, float] = {}
        self.lowest = dict.fromkeys(layers, math.inf)
        return float(steps > 1)

    def observe(self, loss: float, violations: Mapping[str, float]) -> Theta:
        self.step += 1
        for layer, violation in violations.items():
            before = self.means.get(layer, violation)
            self.means[layer] = mean = before + 0.1 * (violation - before)
            if mean < 0.999 * self.lowest[layer]:
                self.lowest[layer] = mean
            else:
                self.factors[layer] *= 0.9
        left = 1 - self.step / (self.steps - 1)
        return {layer: left * factor for layer, factor in self.factors.items()}


class Steering:
    """A controller during one training: it is called once per step, its answers are checked, its state is saved.

    Args:
        thetas: Theta of each layer, in the current step or the next one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.controller: Controller = fall(name)()  # type: ignore[call-arg, assignment]
        self.thetas: dict[str, float] = {}
        self.ended = False

    def begin(self, layers: list[str], step: int, steps: int) -> dict[str, float]:
        """The theta of each layer in step `step` (from 0) of `steps`.

        Raises:
            BadInput: If a value is invalid.
        """
        if step == 0:
            self.thetas = self._checked(self.controller.start(layers, steps), layers)
        self.ended = step == steps - 1
        if self.ended and any(self.thetas.values()):
            raise BadInput(
                f"schedule: {self.name} must give exactly 0 in the last relaxed step, but gave "
                f"{max(self.thetas.values()):.4g}; return 0 from the preceding call of observe"
            )
        return self.thetas

    def observe(self, loss: float, violations: dict[str, float]) -> None:
        """Request the next step's theta, unless this was the last relaxed step."""
        if self.ended:
            return
        self.thetas = self._checked(self.controller.observe(loss, violations), list(violations))

    def _checked(self, theta: Theta, layers: list[str]) -> dict[str, float]:
        thetas = dict(theta) if isinstance(theta, Mapping) else dict.fromkeys(layers, theta)
        if set(thetas) != set(layers):
            raise BadInput(
                f"schedule: {self.name} gave theta for {', '.join(map(str, thetas)) or 'no layer'}; the relaxed "
                f"layers are {', '.join(layers)}"
            )
        for layer, value in thetas.items():
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise BadInput(
                    f"schedule: {self.name} gave theta = {value!r} for {layer}; it must be a finite number >= 0"
                )
        return {layer: float(value) for layer, value in thetas.items()}

    def state(self) -> dict[str, Any]:
        """The state that `load_state` needs to resume from here."""
        return deepcopy({"controller": vars(self.controller), "thetas": self.thetas})

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        vars(self.controller).update(state["controller"])
        self.thetas = state["thetas"]


def is_controller(name: str) -> bool:
    """Whether a schedule's name refers to a class.

    Raises:
        ValueError: If it cannot be imported.
    """
    return name not in FALLS and ":" in name and inspect.isclass(fall(name))


def check_course(name: str) -> str:
    """The name, if it refers to a schedule or to a controller that follows the rules; else ValueError.

    A controller is tried for 40 steps on two layers, with a loss and violations that stay at 1.
    """
    if not is_controller(name):
        return check_schedule(name)
    layers, steps = ["first", "second"], 40
    try:
        steering = Steering(name)
        for step in range(steps):
            steering.begin(layers, step, steps)
            steering.observe(1.0, dict.fromkeys(layers, 1.0))
    except BadInput as error:
        raise ValueError(str(error).removeprefix("schedule: ")) from error
    except Exception as error:
        raise ValueError(f"{name} does not work as a controller: {type(error).__name__}: {error}") from error
    try:
        buffer = io.BytesIO()
        torch.save(steering.state(), buffer)
        torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{name} has attributes that a checkpoint cannot store; use numbers, strings, lists, dicts and tensors"
        ) from error
    return name
