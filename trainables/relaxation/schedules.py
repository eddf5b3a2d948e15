"""The course of theta, the strength of the relaxed branches, over the steps of a training.

A schedule is a warm-up, in which theta rises linearly from 0 to its peak, and a fall from 1 at t = 0 to exactly
0 at t = 1, where t is the share of the relaxed steps after the warm-up. A strict phase (theta = 0) follows.
"""

import math
from collections.abc import Callable
from importlib import import_module

from trainables.errors import brief, nearest

Fall = Callable[[float], float]

FALLS: dict[str, Fall] = {
    "triangle": lambda t: 1 - t,
    "linear": lambda t: 1 - t,
    "cosine": lambda t: 0.5 * (1 + math.cos(math.pi * t)),
    "exponential": lambda t: (math.exp(-5 * t) - math.exp(-5)) / (1 - math.exp(-5)),
    "step": lambda t: 1 - math.floor(4 * t) / 4,
    "hold": lambda t: min(1.0, 2 * (1 - t)),
    "constant": lambda t: float(t < 1),
}
"""triangle: the paper's, with half of the relaxed steps as its own warm-up; step: four plateaus;
hold: at the peak for the first half, then linear; constant: at the peak up to the strict phase, then cut."""

OWN_WARMUP = {"triangle": 0.5}


def check_schedule(name: str) -> str:
    """The name, if it is known or is a `package.module:function` of t that ends at exactly 0; else ValueError."""
    if name not in FALLS and ":" not in name:
        raise ValueError(f"unknown schedule; {nearest(name, list(FALLS))}")
    function = fall(name)
    try:
        *_, end = [float(function(step / 40)) for step in range(41)]
    except Exception as error:  # a user's function may raise anything
        raise ValueError(
            f"{name} does not work as a schedule: {brief(error)}; name a function of one number from 0 to 1"
        ) from error
    if end != 0:
        raise ValueError(f"a schedule must end at exactly 0 at t = 1, but this one ends at {end}")
    return name


def fall(name: str) -> Fall:
    """The function behind a schedule's name; ValueError if it cannot be imported."""
    if name in FALLS:
        return FALLS[name]
    module_name, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # importing a user's module may raise anything
        raise ValueError(f"the schedule cannot be imported: {brief(error)}") from error


def relaxed_steps(steps: int, strict_phase: float) -> int:
    """The number of steps before the strict phase, which is a share of all steps."""
    return steps - round(strict_phase * steps)


def theta(
    schedule: str, step: int, relaxed_steps: int, peak: float = 1.0, warmup: float | None = None
) -> float:
    """Theta in step `step` (from 0).

    Every schedule except "constant" is exactly 0 in the last relaxed step, so that the projection changes nothing;
    and every schedule is exactly 0 from step `relaxed_steps` on.

    Args:
        warmup: Share of the relaxed steps; None for the schedule's own, 0.5 for the triangle and 0 otherwise.
    """
    if step >= relaxed_steps:
        return 0.0
    last = relaxed_steps if schedule == "constant" else relaxed_steps - 1
    progress = step / last if last else 1.0
    rise = OWN_WARMUP.get(schedule, 0.0) if warmup is None else warmup
    if progress < rise:
        return peak * progress / rise
    # A rise over all relaxed steps still leaves the last step for the fall.
    after_rise = (progress - rise) / (1 - rise) if rise < 1 else 1.0
    return peak * fall(schedule)(min(after_rise, 1.0))
