"""A compiled trial gives the numbers of the eager one, for every method."""

import pytest
import torch
from torch import nn

from trainables.training.loop import run_trial

NUMBERS = ("outcome", "val_metric", "test_metric", "relaxed_layers", "steps")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "method"),
    [
        ("egnn", {"name": "strict"}),
        ("egnn", {"name": "relaxed", "penalty": {"lie": 0.01, "norm": 0.01}}),
        ("egnn", {"name": "ace"}),
        ("egnn", {"name": "unconstrained"}),
        ("segnn", {"name": "relaxed"}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_tracing_changes_no_number(make_spec, task, monkeypatch, network, method):
    compiled_models, compile_model = [], nn.Module.compile

    def compile_eagerly(self):
        # Dynamo traces the step as ever; "eager" runs what it has traced without generating code for it.
        compiled_models.append(self)
        compile_model(self, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", compile_eagerly)
    model = {"name": network, "hidden": 4, "layers": 1}
    records = [
        run_trial(make_spec(method, model=model, compile=compiled), task, torch.device("cpu"))[0]
        for compiled in (False, True)
    ]
    eager, compiled = ([getattr(record, name) for name in NUMBERS] for record in records)
    assert compiled == eager
    assert len(compiled_models) == 1
