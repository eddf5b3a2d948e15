"""The failure rules, one by one and at their boundaries, for losses and metrics of any sign and range."""

import io
import math
import re

import pyarrow.parquet as pq
import pytest

from analysis import REFERENCE
from trainables.results.pack import open_source
from trainables.results.record import history_path, read_records
from trainables.spec import Failure
from trainables.tasks.forces import Forces
from trainables.tasks.mocap import Mocap
from trainables.tasks.nbody import NBody
from trainables.tasks.pointclouds import PointClouds
from trainables.tasks.task import Task
from trainables.training.delivery import delivered_metrics
from trainables.training.outcome import Judged, better, failed_after_training, failed_during_training

RULES = Failure()
ERROR = Judged("min", trivial=1.0, ideal=0.0)
ACCURACY = Judged("max", trivial=0.1, ideal=1.0)


def row(**changes):
    good = {"epoch": 3, "train_loss": 1.0, "grad_norm": 1.0, "parameter_norm": 1.0, "val_loss": 1.0}
    return {**good, **changes}


def reason(verdict):
    return verdict and verdict.reason


def ended(*metrics, judged):
    """The reason why a training with these validation metrics failed, or None."""
    best = min(metrics) if judged.goal == "min" else max(metrics)
    return reason(failed_after_training(metrics, best, judged, RULES))


def test_training_continues_after_a_healthy_epoch():
    assert failed_during_training(row(), 1.0, RULES, 0.0) is None


@pytest.mark.parametrize("name", ["train_loss", "grad_norm", "parameter_norm", "val_loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_fails_and_is_named(name, value):
    verdict = failed_during_training(row(**{name: value}), 1.0, RULES, 0.0)
    assert verdict.reason == "non_finite"
    assert name in verdict.detail


@pytest.mark.parametrize(
    ("at_init", "ideal", "good", "bad"),
    [
        (1.0, 0.0, 10.0, 10.01),
        (2.0, 0.0, 20.0, 20.01),
        (1e-4, 0.0, 0.99e-3, 1.01e-3),
        (-2.0, -3.0, 7.0, 7.01),
        (-40.0, None, -39.0, 320.1),
        (-40.0, None, 320.0, 321.0),
        (0.01, None, 9.0, 9.02),
        (-0.01, None, 8.98, 9.0),
        (0.0, 0.0, 8.99, 9.01),
        (5.0, None, 50.0, 50.01),
        (-1.0, 0.0, 8.0, 8.01),
    ],
)
def test_diverged_is_a_rise_by_many_scales_of_the_loss(at_init, ideal, good, bad):
    assert failed_during_training(row(train_loss=good), at_init, RULES, ideal) is None
    assert failed_during_training(row(train_loss=at_init - 100), at_init, RULES, ideal) is None
    assert failed_during_training(row(train_loss=bad), at_init, RULES, ideal).reason == "diverged"


@pytest.mark.parametrize(
    ("judged", "good", "bad"),
    [
        (ERROR, 0.94, 0.96),
        (ACCURACY, 0.15, 0.14),
        (Judged("max", trivial=-1.0, ideal=0.0), -0.94, -0.96),
        (Judged("min", trivial=5.0, ideal=3.0), 4.89, 4.91),
        (Judged("min", trivial=-1.0, at_init=1.0), -1.11, -1.09),
        (Judged("min", trivial=0.0, at_init=2.0), -0.11, -0.09),
        (Judged("max", trivial=-3.0, at_init=-7.0), -2.79, -2.81),
        (Judged("max", trivial=0.5, at_init=0.5), 0.51, 0.5),
        (Judged("min", trivial=1.0, at_init=math.nan), 0.99, 1.0),
        (Judged("min", trivial=1.0), 0.99, 1.0),
        (Judged("min", trivial=-1.0, ideal=0.0, at_init=1.0), -1.11, -1.09),
    ],
)
def test_learned_beats_the_trivial_predictor_by_the_margin(judged, good, bad):
    assert ended(good, judged=judged) is None
    assert ended(bad, judged=judged) == "not_learned"
    assert reason(failed_after_training([good], None, judged, RULES)) == "not_learned"


@pytest.mark.parametrize(
    ("judged", "best", "last_good", "last_bad"),
    [
        (ERROR, 0.1, 0.81, 0.83),  # 0.18 of the 0.9 gained is left
        (ERROR, 1e-9, 1e-4, 0.81),
        (ERROR, 0.5, 2.49, 2.51),  # little was gained, so five times the error is allowed
        (Judged("min", trivial=11.0, ideal=10.0), 10.01, 10.8, 10.81),
        (ACCURACY, 0.9, 0.27, 0.25),
        (Judged("max", trivial=-1.0, ideal=0.0), -0.1, -0.81, -0.83),
        (Judged("min", trivial=1.0, at_init=1.2), -1.0, 0.59, 0.61),
        (Judged("min", trivial=-5.0, at_init=3.0), -9.0, -5.81, -5.79),
        (Judged("max", trivial=-2.0, at_init=-3.0), -0.5, -1.69, -1.71),
    ],
)
def test_collapsed_has_lost_what_it_had_gained(judged, best, last_good, last_bad):
    assert ended(best, best, judged=judged) is None
    assert ended(best, last_good, judged=judged) is None
    assert ended(best, last_bad, judged=judged) == "collapsed"


def test_rules_do_not_depend_on_where_zero_is():
    """Shifting or negating all numbers does not change the verdicts."""
    metrics = [3.0, 1.2, 0.9, 0.3, 0.7]
    for shift in (0.0, -5.0, 100.0):
        for sign, goal in ((1, "min"), (-1, "max")):
            moved = [sign * (metric + shift) for metric in metrics]
            judged = Judged(goal, sign * (1 + shift), at_init=sign * (3 + shift))
            assert ended(*moved[:3], judged=judged) == "not_learned"
            assert ended(*moved[:4], judged=judged) is None
            assert ended(*moved, judged=judged) is None
            assert ended(*moved, moved[2], judged=judged) == "collapsed"


def test_nan_improves_on_nothing():
    assert not better(math.nan, None, "min")
    assert better(1.0, None, "max")
    assert better(2.0, 1.0, "max")
    assert not better(2.0, 1.0, "min")


def test_every_task_declares_its_goal_and_ideals():
    assert (NBody.metric_goal, NBody.metric_ideal, NBody.loss_ideal) == ("min", 0, 0)
    assert (Forces.metric_goal, Forces.metric_ideal, Forces.loss_ideal) == ("min", 0, 0)
    assert (PointClouds.metric_goal, PointClouds.metric_ideal, PointClouds.loss_ideal) == ("max", 1, 0)
    assert (Task.metric_ideal, Task.loss_ideal) == (None, None)


def test_a_subclass_with_another_metric_or_loss_inherits_no_ideal():
    class OtherMetric(NBody):
        metric = "nll"

    class OtherLoss(NBody):
        def loss(self, prediction, split):
            return -super().loss(prediction, split)

    class Same(OtherLoss):
        loss_ideal = -1.0

        def graph(self, split):
            return super().graph(split)

    assert (OtherMetric.metric_ideal, OtherMetric.loss_ideal) == (None, 0)
    assert (OtherLoss.metric_ideal, OtherLoss.loss_ideal) == (0, None)
    assert (Same.metric_ideal, Same.loss_ideal) == (0, -1)


TASKS = {"nbody": NBody, "forces": Forces, "pointclouds": PointClouds, "mocap": Mocap}


def judged_again(record, rows):
    """The reason that the rules give for the numbers of a stored trial."""
    task = TASKS[record.spec["task"]["name"]]
    rules = Failure(**record.spec["failure"])
    # The training loss at initialization was not stored; the limit of a diverged trial is ten times that loss.
    limit = re.search(r"above (\S+) in", record.detail)
    at_init = float(limit[1]) / 10 if limit else record.loss_at_init
    for row in rows:
        verdict = failed_during_training(row, at_init, rules, task.loss_ideal)
        if verdict:
            return verdict.reason
    judged = Judged(record.metric_goal, record.trivial, task.metric_ideal)
    return reason(failed_after_training(delivered_metrics(rows), record.val_metric, judged, rules))


@pytest.mark.parametrize("packed", sorted(REFERENCE.glob("*.parquet")), ids=lambda path: path.stem)
def test_verdicts_of_the_reference_study_do_not_change(packed):
    source = open_source(packed)
    records, complaints = read_records(source, source.names("trials"))
    assert not complaints
    assert records
    for trial, record in records.items():
        cells = pq.read_table(io.BytesIO(source.read(history_path(trial)))).to_pylist()
        rows = [{name: cell for name, cell in row.items() if cell is not None} for row in cells]
        assert judged_again(record, rows) == record.reason, (trial, record.detail)
