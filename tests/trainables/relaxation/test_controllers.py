"""Theta controlled by the measurements of a training."""

import math
import threading
from itertools import pairwise

import pytest
import torch

from trainables.errors import BadInput
from trainables.registry import resolve
from trainables.relaxation.controllers import Steering, check_course
from trainables.training.loop import run_trial

CPU = torch.device("cpu")
STALLING = "trainables.relaxation.controllers:Stalling"


def course(violations, layers=("a", "b")):
    """Theta of each layer in every step, given the violations of each step by layer."""
    steering = Steering(STALLING)
    thetas = []
    for step, seen in enumerate(violations):
        thetas.append(steering.begin(list(layers), step, len(violations)))
        steering.observe(1.0, seen)
    return thetas


def test_theta_falls_faster_in_a_layer_whose_violation_has_stalled():
    thetas = course([{"a": 0.9**step, "b": 1.0} for step in range(20)])
    assert [row["a"] for row in thetas] == pytest.approx([1 - step / 19 for step in range(20)])
    assert thetas[0]["b"] == 1.0
    for earlier, row in pairwise(thetas[1:-1]):
        assert row["b"] < 0.91 * earlier["b"]
    assert thetas[-1] == {"a": 0.0, "b": 0.0}


class Linear:
    """The linear schedule as a controller; base class of those that break a rule."""

    def start(self, layers, steps):
        self.layers, self.step, self.steps = layers, 0, steps
        return 1.0

    def observe(self, loss, violations):
        self.step += 1
        return 1 - self.step / (self.steps - 1)


class NotANumber(Linear):
    def observe(self, loss, violations):
        return math.nan


class Infinite(Linear):
    def observe(self, loss, violations):
        return {"first": math.inf, "second": 0.0}


class EndsHigh(Linear):
    def observe(self, loss, violations):
        return 0.3


class Misnamed(Linear):
    def observe(self, loss, violations):
        return {"third": 0.1}


class Raising(Linear):
    def observe(self, loss, violations):
        return 1 / 0


class Unsaved(Linear):
    def start(self, layers, steps):
        self.lock = threading.Lock()
        return super().start(layers, steps)


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        (NotANumber, "gave theta = nan for first; it must be a finite number >= 0"),
        (Infinite, "gave theta = inf for first"),
        (EndsHigh, "must give exactly 0 in the last relaxed step, but gave 0.3"),
        (Misnamed, "gave theta for third; the relaxed layers are first, second"),
        (Raising, "does not work as a controller: ZeroDivisionError"),
        (Unsaved, "a checkpoint cannot store"),
    ],
)
def test_a_controller_that_breaks_a_rule_gives_one_line_before_any_training(controller, words):
    name = f"{__name__}:{controller.__name__}"
    with pytest.raises(BadInput) as caught:
        resolve("method", {"name": "relaxed", "schedule": name}, "arms.mine")
    assert str(caught.value).startswith("arms.mine.schedule: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class LaterNotANumber(Linear):
    """Follows the rules as long as the loss is 1, as in the trial run."""

    def observe(self, loss, violations):
        return super().observe(loss, violations) if loss == 1.0 else math.nan


class LaterHigh(Linear):
    def observe(self, loss, violations):
        return super().observe(loss, violations) if loss == 1.0 else 0.3


@pytest.mark.parametrize(
    ("controller", "words"), [(LaterNotANumber, "theta = nan"), (LaterHigh, "exactly 0 in the last")]
)
def test_a_controller_that_breaks_a_rule_in_training_gives_one_line(make_spec, task, controller, words):
    spec = make_spec({"name": "relaxed", "schedule": f"{__name__}:{controller.__name__}"})
    with pytest.raises(BadInput, match=words):
        run_trial(spec, task, CPU)


def test_a_linear_controller_equals_the_linear_schedule(make_spec, task):
    assert check_course("linear") == "linear"
    runs = [
        run_trial(make_spec({"name": "relaxed", "schedule": schedule, "init": 0.1, "peak": 0.5}), task, CPU)
        for schedule in ("linear", f"{__name__}:Linear")
    ]
    (record, rows), (controlled, controlled_rows) = runs
    assert [row["val_metric"] for row in rows] == [row["val_metric"] for row in controlled_rows]
    assert controlled.theta_area == record.theta_area
    assert controlled.constraint_at_projection == 0.0


def test_each_layer_is_steered_by_its_own_violations(make_spec, task):
    _, rows = run_trial(make_spec({"name": "relaxed", "schedule": STALLING, "init": 0.1}), task, CPU)
    columns = [name for name in rows[0] if name.startswith("theta.")]
    assert len(columns) == 2
    assert rows[1]["theta"] == max(rows[1][name] for name in columns) > 0
    assert len({rows[1][name] for name in columns}) == 2
