"""A trial's id is its content."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from trainables.spec import Failure, Training, TrialSpec

CONTENT = {
    "task": {"name": "nbody", "train": 10},
    "model": {"name": "egnn", "hidden": 8},
    "method": {"name": "strict"},
    "training": Training(lr=1e-3).model_dump(),
    "failure": Failure().model_dump(),
    "seed": 0,
}


def test_equal_content_gives_the_same_id_in_any_order():
    turned = {key: CONTENT[key] for key in reversed(CONTENT)}
    turned["task"] = {"train": 10, "name": "nbody"}
    assert TrialSpec(**CONTENT).id == TrialSpec(**turned).id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("task", {"name": "nbody", "train": 11}),
        ("method", {"name": "relaxed"}),
        ("training", {"lr": 2e-3}),
        ("failure", {"diverged": {"factor": 9}}),
    ],
)
def test_any_other_content_gives_another_id(key, value):
    assert TrialSpec(**CONTENT).id != TrialSpec(**{**CONTENT, key: value}).id


def test_the_id_is_the_same_in_another_process():
    spec = TrialSpec(**CONTENT)
    code = (
        "import sys; from trainables.spec import TrialSpec;"
        "print(TrialSpec.model_validate_json(sys.stdin.read()).id)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], input=spec.model_dump_json(), capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == spec.id


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"training": {"lr": 0}},
        {"training": {"lr": float("nan")}},
        {"training": {"lrr": 1e-3}},
        {"training": {"optimizer": "adm"}},
        {"failure": {"diverged": {"factor": 0.5}}},
        {"task": {"train": 3}},
        {"arm": "strict"},
    ],
)
def test_invalid_specs_are_refused(change):
    with pytest.raises(ValidationError):
        TrialSpec(**{**CONTENT, **change})
