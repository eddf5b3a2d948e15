"""What the presets promise about their arms."""

import pytest

from study.config import load_config, presets
from trainables.relaxation.schedules import relaxed_steps, theta

STEPS = 2000


def relaxed_arms(preset):
    return {name: arm for name, arm in load_config(preset).arms.items() if arm["name"] == "relaxed"}


def theta_area(arm):
    """Mean of theta over all training steps."""
    relaxed = relaxed_steps(STEPS, arm["strict_phase"])
    values = (theta(arm["schedule"], step, relaxed, arm["peak"], arm["warmup"]) for step in range(STEPS))
    return sum(values) / STEPS


@pytest.mark.parametrize("preset", presets())
def test_schedules_are_compared_at_equal_area_under_theta(preset):
    areas = {name: theta_area(arm) for name, arm in relaxed_arms(preset).items()}
    first = next(iter(areas.values()), 0.0)
    assert areas == pytest.approx(dict.fromkeys(areas, first), rel=2e-3)


@pytest.mark.parametrize("preset", presets())
def test_relaxed_arms_rotate_each_graph(preset):
    """All except `fixed-poses`, whose name says that it does not."""
    rotations = {name: arm.get("rotate", "none") for name, arm in relaxed_arms(preset).items()}
    assert rotations == {name: "none" if name == "fixed-poses" else "graph" for name in rotations}


def test_ace_has_the_released_settings():
    ace = load_config("nbody-segnn").arms["ace"]
    assert (ace["dual_optimizer"], ace["dual_lr"], ace["companion"]) == ("adam", 8e-4, "mlp")
