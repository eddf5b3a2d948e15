"""The schema for editors accepts what the loader accepts."""

import jsonschema
import pytest
from tests_support import changed

from study.config import PRESETS, presets
from study.schema import schema
from trainables.results.yaml_text import read_yaml

VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", presets())
def test_each_preset_is_valid(name):
    VALIDATOR.validate(read_yaml((PRESETS / f"{name}.yaml").read_text()))


@pytest.mark.parametrize(
    ("path", "value", "fits"),
    [
        ("model", "egnn", True),
        ("model", "my.net:Net", True),
        ("model", {"name": "my.net:Net", "anything": 3}, True),
        ("model", {"name": "egnn", "hiden": 3}, False),
        ("model", "eggn", False),
        ("training/epochs", 0, False),
        ("training/lr", 1e-3, False),
        ("arms/triangle/penalty", {"lie": 0.1}, True),
        ("arms/triangle/penalty", {"lie": {"weight": 0.1, "course": "theta"}}, True),
        ("arms/triangle/penalty", {"lee": 0.1}, False),
        ("arms/triangle/strict_phase", 2, False),
        ("arms/own", {"method": "my:Method", "x": 1}, True),
        ("grid/arms.triangle.penalty.lie", [0, 0.1], True),
        ("grid/lr", {"log": [1e-4, 1], "points": 1}, False),
        ("search", {"trials": 5, "lr": {"log": [1e-4, 1e-1]}}, True),
        ("search", {"trials": 0, "lr": {"log": [1e-4, 1e-1]}}, False),
        ("search", {"trials": 5, "lr": [1e-3]}, False),
        ("failure", {"diverged": {"factr": 2}}, False),
        ("resources", {"cpus": 0}, False),
        ("extra", 1, False),
    ],
)
def test_valid_and_invalid_values(path, value, fits):
    assert VALIDATOR.is_valid(changed(path, value)) == fits
