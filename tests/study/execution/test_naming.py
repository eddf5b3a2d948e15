"""Tune gets a unique readable name for each trial, and everything that was planned for it."""

import pytest

from study.config import resolve_config
from study.execution.naming import configs, short
from study.plan import plan

STUDY = {
    "name": "named",
    "task": {"name": "nbody", "train": 10, "val": 5, "test": 5},
    "model": {"name": "egnn", "hidden": 8, "layers": 1},
    "training": {"epochs": 1},
    "arms": {"strict": {"method": "strict"}, "triangle": {"method": "relaxed", "schedule": "triangle"}},
}


def named(grid):
    config = resolve_config({**STUDY, "grid": grid})
    trials = plan(config)
    return trials, configs(trials, config)


def test_a_name_contains_arm_learning_rate_and_seed():
    trials, made = named({"lr": [3.2e-3], "seed": [2]})
    assert [config["name"] for config in made] == ["strict-lr3.2e-3-s2", "triangle-lr3.2e-3-s2"]
    assert [config["trial"] for config in made] == [trial.id for trial in trials]
    assert made[1]["spec"] == trials[1].spec.model_dump(mode="json")


def test_further_axes_are_in_name_and_config_of_the_trials_they_apply_to():
    grid = {
        "lr": [1e-3],
        "seed": [0],
        "model.hidden": [8, 16],
        "seed.init": [7],
        "arms.triangle.penalty.lie": [0.0, 0.5],
        "arms.triangle.training.clip": [1.0],
    }
    _, made = named(grid)
    assert len({config["name"] for config in made}) == len(made) == 6
    strict = next(config for config in made if config["arm"] == "strict")
    relaxed = next(config for config in made if config.get("arms.triangle.penalty.lie") == 0.5)
    assert "arms.triangle.penalty.lie" not in strict
    assert relaxed["name"] == "triangle-lr1e-3-hidden8-init7-lie0.5-clip1.0-s0"
    assert (relaxed["model.hidden"], relaxed["seed.init"]) == (8, 7)


def test_names_that_would_be_equal_also_contain_the_id():
    trials, made = named({"lr": [1.001e-3, 1.002e-3], "seed": [0]})
    assert [config["name"] for config in made[:2]] == [
        f"{trial.arm}-lr1e-3-s0-{trial.id[:8]}" for trial in trials[:2]
    ]


@pytest.mark.parametrize(
    ("rate", "text"), [(1.0, "1e0"), (0.0316, "3.2e-2"), (1e-12, "1e-12"), (25.0, "2.5e1")]
)
def test_a_rate_has_two_digits(rate, text):
    assert short(rate) == text
