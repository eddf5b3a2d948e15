"""Every epoch of a relaxed training is a candidate, with its projected model."""

import copy

import pytest
import torch

from trainables.methods.method import Method
from trainables.methods.relaxed import Relaxed
from trainables.training.building import build_model
from trainables.training.loop import run_trial

CPU = torch.device("cpu")


PROJECTED = [
    {"name": "relaxed", "schedule": "constant", "strict_phase": 0.5, "init": 0.02},
    {"name": "relaxed", "schedule": "constant", "projection": "fold", "strict_phase": 0.5, "init": 0.02},
    {"name": "ace", "strict_phase": 0.5, "init": 0.02},
]


def overfitting(task, spec):
    """The task with the untrained network's outputs as targets of validation: training only makes it worse."""
    other, val = copy.copy(task), task.splits["val"]
    with torch.no_grad():
        outputs = task.predict(build_model(spec, task, torch.float32).eval(), task.graph(val))
    other.splits = {**task.splits, "val": {**val, "targets": outputs["positions"]}}
    return other


@pytest.mark.parametrize("method", PROJECTED, ids=lambda method: "-".join(map(str, method.values())))
def test_every_epoch_is_a_candidate_with_its_projected_model(make_spec, task, method):
    spec = make_spec(method, epochs=6, lr=1e-3)
    record, rows = run_trial(spec, overfitting(task, spec), CPU)
    projected = [row["projected_val_metric"] for row in rows]
    assert record.val_metric == min(projected)
    assert record.best_epoch == projected.index(min(projected)) < 2, "an epoch of the relaxed phase"
    assert record.equivariance_error < 1e-10
    assert [row["projected_val_metric"] != row["val_metric"] for row in rows] == [True] * 2 + [False] * 4
    assert max(row["equivariance_error"] for row in rows) > 1e-4
    assert rows[-1]["equivariance_error"] < 1e-4


@pytest.mark.parametrize("method", PROJECTED, ids=lambda method: "-".join(map(str, method.values())))
def test_the_delivered_model_of_a_relaxed_epoch_is_what_was_validated(make_spec, task, method):
    spec = make_spec(method, epochs=6, lr=1e-3)
    other = overfitting(task, spec)
    other.splits = {**other.splits, "test": other.splits["val"]}
    record, _ = run_trial(spec, other, CPU)
    assert record.test_metric == pytest.approx(record.val_metric, rel=1e-6)


def test_validating_the_projected_model_leaves_the_training_unchanged(make_spec, task, monkeypatch):
    method = {"name": "relaxed", "projection": "fold", "schedule": "constant", "init": 0.1}
    spec = make_spec(method, lr=3e-3, select="last")
    _, rows = run_trial(spec, task, CPU)
    monkeypatch.setattr(Relaxed, "delivered", Method.delivered)
    _, undisturbed = run_trial(spec, task, CPU)
    assert [row["val_metric"] for row in rows] == [row["val_metric"] for row in undisturbed]


@pytest.mark.parametrize("method", [{"name": "strict"}, *PROJECTED], ids=lambda method: method["name"])
def test_the_last_epoch_is_delivered_if_requested(make_spec, task, method):
    spec = make_spec(method, epochs=6, lr=3e-3, select="last")
    record, rows = run_trial(spec, overfitting(task, spec), CPU)
    assert record.best_epoch == 5
    assert record.val_metric == rows[-1]["val_metric"] > min(row["val_metric"] for row in rows)


@pytest.mark.parametrize(
    ("method", "constraint", "area"),
    [
        ({"name": "strict"}, None, 0.0),
        ({"name": "unconstrained"}, None, 1.0),
        ({"name": "relaxed", "schedule": "constant", "peak": 0.5, "strict_phase": 0.25}, 0.5, 0.375),
        ({"name": "relaxed", "schedule": "linear", "strict_phase": 0.25}, 0.0, 0.375),
    ],
    ids=str,
)
def test_the_record_has_the_area_under_theta_and_its_end_value(make_spec, task, method, constraint, area):
    record, _ = run_trial(make_spec(method), task, CPU)
    assert record.constraint_at_projection == constraint
    assert record.theta_area == pytest.approx(area)


def test_the_constraint_of_ace_is_its_largest_gamma(make_spec, task):
    record, rows = run_trial(make_spec({"name": "ace", "strict_phase": 0.25}, lr=1e-2), task, CPU)
    before = max(abs(value) for name, value in rows[-3].items() if name.startswith("gamma."))
    # Adam moves gamma by up to 1e-2 in each of the five steps from there to the projection.
    assert record.constraint_at_projection == pytest.approx(before, abs=0.06)
    assert record.constraint_at_projection != before
    assert rows[0]["theta"] < rows[0]["theta_mean"] < 1
    assert record.theta_area == pytest.approx(sum(row["theta_mean"] for row in rows) / 4)
