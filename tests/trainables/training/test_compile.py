"""A compiled trial gives the numbers of the eager one, for every method."""

import pytest
import torch
from torch import nn

from trainables.errors import BadInput
from trainables.spec import Training
from trainables.training import compiling
from trainables.training.loop import run_trial
from trainables.training.run import start

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

    def compile_eagerly(self, backend):
        # Dynamo traces the step as usual; "eager" runs what it has traced without generating code for it.
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


@pytest.mark.parametrize(
    ("chosen", "num_steps", "differentiates", "compiled"),
    [
        (False, 10**6, False, False),
        (True, 1, False, True),
        ("auto", 4999, False, False),
        ("auto", 5000, False, True),
        ("auto", 5000, True, False),
    ],
)
def test_auto_compiles_long_enough_trials(task, monkeypatch, chosen, num_steps, differentiates, compiled):
    monkeypatch.setattr(task, "differentiates_model", differentiates)
    assert compiling.is_compiled(Training(compile=chosen), task, num_steps) is compiled


@pytest.mark.parametrize("epochs", [3, 4])
def test_auto_counts_the_steps_of_the_trial(make_spec, task, monkeypatch, epochs):
    compiled = []
    monkeypatch.setattr(compiling, "compile_network", compiled.append)
    monkeypatch.setattr(compiling, "AUTO_STEPS", 20)  # 40 samples in batches of 8
    run = start(make_spec(compile="auto", epochs=epochs), task, torch.device("cpu"), None)
    assert compiled == ([run.model] if epochs == 4 else [])


def test_a_task_that_differentiates_is_refused(make_spec, task, monkeypatch):
    monkeypatch.setattr(task, "differentiates_model", True)
    with pytest.raises(BadInput, match=r"^training\.compile: .*twice"):
        start(make_spec(compile=True), task, torch.device("cpu"), None)
