"""`training.validate_every`: the same training, validated less often, with selection among validated epochs."""

import io

import pytest
import torch

from trainables.spec import Training
from trainables.training.loop import run_trial

CPU = torch.device("cpu")
MEASURED = {"val_loss", "val_metric", "equivariance_error"}
METHODS = [
    {"name": "strict"},
    {"name": "relaxed", "schedule": "constant", "strict_phase": 0.5, "init": 0.02},
    {"name": "ace", "strict_phase": 0.5, "init": 0.02},
]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method["name"])


def delivered(row):
    return row.get("projected_val_metric", row["val_metric"])


@each_method
@pytest.mark.parametrize("select", ["best", "last"])
def test_the_training_is_the_same_and_the_best_validated_epoch_is_chosen(make_spec, task, method, select):
    _, every_row = run_trial(make_spec(method, epochs=7), task, CPU)
    record, rows = run_trial(make_spec(method, epochs=7, validate_every=3, select=select), task, CPU)
    looked_at = [row for row in rows if row.keys() >= MEASURED]
    assert [row["epoch"] for row in looked_at] == [2, 5, 6]
    assert not any(MEASURED & row.keys() for row in rows if row not in looked_at)
    for row, full in zip(rows, every_row, strict=True):
        assert {name: full[name] for name in row if name != "seconds"} == {
            name: value for name, value in row.items() if name != "seconds"
        }
    chosen = min(looked_at, key=delivered) if select == "best" else rows[-1]
    assert (record.best_epoch, record.val_metric) == (chosen["epoch"], delivered(chosen))
    assert record.test_metric is not None


@each_method
def test_a_trial_resumes_exactly_from_an_epoch_without_validation(make_spec, task, method):
    spec = make_spec(method, epochs=5, validate_every=3)
    record, rows = run_trial(spec, task, CPU)
    states = []

    def keep(state):
        buffer = io.BytesIO()
        torch.save(state(), buffer)
        states.append(buffer.getvalue())

    run_trial(spec, task, CPU, save=keep)
    for state in states[:4]:
        resumed, again = run_trial(spec, task, CPU, torch.load(io.BytesIO(state), weights_only=True))
        assert (resumed.test_metric, resumed.best_epoch) == (record.test_metric, record.best_epoch)
        assert [row.get("val_metric") for row in again] == [row.get("val_metric") for row in rows]


def test_a_training_that_explodes_fails_before_the_next_validation(make_spec, task):
    record, rows = run_trial(make_spec(lr=1e12, optimizer="sgd", epochs=9, validate_every=9), task, CPU)
    assert record.outcome == "failed"
    assert record.reason in ("diverged", "non_finite")
    assert len(rows) < 9
    assert record.test_metric is None


def test_ids_do_not_depend_on_the_default():
    assert "validate_every" not in Training(validate_every=1).model_dump()
    assert Training(validate_every=2).model_dump()["validate_every"] == 2
