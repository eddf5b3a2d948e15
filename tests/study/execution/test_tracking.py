"""Callbacks: Ray's own for dashboards and a user's; each sees what it should, and none ends a run."""

import sys
import time
from types import SimpleNamespace

import pytest
from ray import tune

from study.execution import tracking
from trainables.errors import BadInput


class Broken(tune.Callback):
    """Raises whenever a trial starts."""

    def on_trial_start(self, iteration, trials, trial, **info):
        raise ConnectionError("no server")


class Seeing(tune.Callback):
    """Remembers which trials started."""

    def __init__(self):
        self.seen = []

    def on_trial_start(self, iteration, trials, trial, **info):
        self.seen.append(trial.config["name"])


def pretended(name, arm="strict"):
    config = {"name": name, "arm": arm}
    return SimpleNamespace(trial_id=name, config=config, evaluated_params={"lr": 1e-3}, status="RUNNING")


def start(callback, *trials):
    for trial in trials:
        callback.on_trial_start(iteration=0, trials=[], trial=trial)


def test_an_exception_in_a_callback_costs_one_line(capsys):
    start(tracking.Guarded(Broken()), pretended("a"), pretended("b"))
    assert capsys.readouterr().err == "callback Broken: ConnectionError: no server\n"


def test_every_hook_of_tune_reaches_the_callback():
    hooks = [name for name in dir(tune.Callback) if name.startswith("on_")]
    assert len(hooks) >= 9
    calls = []
    inner = SimpleNamespace(**{hook: lambda hook=hook, **named: calls.append(hook) for hook in hooks})
    for hook in hooks:
        getattr(tracking.Guarded(inner), hook)()
    assert calls == hooks


def test_a_callback_of_an_arm_sees_only_its_trials():
    seeing = Seeing()
    start(tracking.OfArm("triangle", seeing), pretended("a"), pretended("b", "triangle"))
    assert seeing.seen == ["b"]


def test_tensorboard_has_a_run_for_each_trial_while_it_trains(tmp_path):
    board, trial = tracking.tensorboard(str(tmp_path)), pretended("strict-lr1e-3-s0")
    start(board, trial)
    result = {"training_iteration": 1, "timesteps_total": 4, "train_loss": 2.0, "val_loss": float("inf")}
    (events,) = (tmp_path / "strict" / "strict-lr1e-3-s0").iterdir()
    end = time.monotonic() + 30
    while b"train_loss" not in events.read_bytes():  # another thread writes it
        assert time.monotonic() < end
        board.on_trial_result(iteration=1, trials=[], trial=trial, result=result)
    assert b"val_loss" not in events.read_bytes()
    board.on_trial_complete(iteration=1, trials=[], trial=trial)


@pytest.mark.parametrize(("name", "make"), [("mlflow", tracking.mlflow), ("wandb", tracking.wandb)])
def test_a_missing_package_is_named(monkeypatch, name, make):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=f"--{name}: needs the package {name}; pip install"):
        make("somewhere", [])


def test_a_callback_of_the_user_is_found_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "theirs", sys.modules[__name__])
    assert isinstance(tracking.named("theirs:Seeing"), Seeing)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("theirs", "write package.module:Class"),
        ("theirs:Nothing", "AttributeError"),
        ("nowhere.at_all:Class", "No module named"),
        ("theirs:pretended", "TypeError"),
        ("theirs:SimpleNamespace", "is not a ray.tune.Callback"),
    ],
)
def test_an_invalid_callback_is_refused_in_one_line(monkeypatch, reference, words):
    monkeypatch.setitem(sys.modules, "theirs", sys.modules[__name__])
    with pytest.raises(BadInput, match=f"--callback {reference}: .*{words}"):
        tracking.named(reference)
