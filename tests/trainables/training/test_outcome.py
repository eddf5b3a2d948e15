"""The failure rules, one by one and at their borders."""

import math

import pytest

from trainables.spec import Failure
from trainables.training.outcome import better, failed_after_training, failed_during_training

RULES = Failure()


def row(**changes):
    good = {"epoch": 3, "train_loss": 1.0, "grad_norm": 1.0, "parameter_norm": 1.0, "val_loss": 1.0}
    return {**good, **changes}


def test_a_healthy_epoch_goes_on():
    assert failed_during_training(row(), 1.0, RULES) is None


@pytest.mark.parametrize("name", ["train_loss", "grad_norm", "parameter_norm", "val_loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_fails_and_is_named(name, value):
    verdict = failed_during_training(row(**{name: value}), 1.0, RULES)
    assert verdict.reason == "non_finite"
    assert name in verdict.detail


def test_diverged_is_above_the_factor_times_the_loss_at_initialisation():
    assert failed_during_training(row(train_loss=10.0), 1.0, RULES) is None
    assert failed_during_training(row(train_loss=10.01), 1.0, RULES).reason == "diverged"
    assert failed_during_training(row(train_loss=10.01), 2.0, RULES) is None


def history(*metrics):
    return [{"val_metric": metric} for metric in metrics]


@pytest.mark.parametrize(
    ("goal", "trivial", "good", "bad"), [("min", 1.0, 0.94, 0.96), ("max", 0.1, 0.15, 0.14)]
)
def test_learned_beats_the_trivial_predictor_by_the_margin(goal, trivial, good, bad):
    assert failed_after_training(history(good), good, trivial, goal, RULES) is None
    assert failed_after_training(history(bad), bad, trivial, goal, RULES).reason == "not_learned"
    assert failed_after_training(history(bad), None, trivial, goal, RULES).reason == "not_learned"


@pytest.mark.parametrize(
    ("goal", "trivial", "last_good", "last_bad"), [("min", 1.0, 0.49, 0.51), ("max", 0.1, 0.19, 0.17)]
)
def test_collapsed_is_far_worse_than_the_own_best(goal, trivial, last_good, last_bad):
    best = 0.1 if goal == "min" else 0.9
    assert failed_after_training(history(best, last_good), best, trivial, goal, RULES) is None
    assert failed_after_training(history(best, last_bad), best, trivial, goal, RULES).reason == "collapsed"


def test_nan_improves_on_nothing():
    assert not better(math.nan, None, "min")
    assert better(1.0, None, "max")
    assert better(2.0, 1.0, "max")
    assert not better(2.0, 1.0, "min")
