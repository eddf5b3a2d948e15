"""Loggers take finished trials, are asked for by name, and never stop a run."""

import sys

import pytest

from study.execution import loggers
from trainables.errors import BadInput
from trainables.results.record import Record, write_outcome
from trainables.results.store import open_store

SPEC = {
    "task": {"name": "nbody"},
    "model": {"name": "egnn"},
    "method": {"name": "relaxed", "schedule": "triangle"},
    "training": {"lr": 1e-3, "optimizer": "adam"},
    "seed": 0,
}
ROWS = [{"epoch": 0, "step": 4, "train_loss": 2.0}, {"epoch": 1, "step": 8, "train_loss": 1.0}]
RECORD = Record("0123456789abcdef", SPEC, "learned")


class Client:
    """Stands for the packages of trackers that are not installed: remembers what it was told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        def tell(*arguments, **named):
            self.told.append((name, arguments, named))
            return self

        return tell

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass


def test_tensorboard_files_hold_the_history(tmp_path):
    loggers.tensorboard(str(tmp_path))(RECORD, ROWS)
    (events,) = (tmp_path / RECORD.id).iterdir()
    assert b"train_loss" in events.read_bytes()


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("mlflow", ["set_tracking_uri", "start_run", "log_params", "log_metrics", "log_metrics"]),
        ("wandb", ["init", "log", "log", "finish"]),
    ],
)
def test_trackers_are_told_settings_and_history(monkeypatch, name, calls):
    client = Client()
    monkeypatch.setitem(sys.modules, name, client)
    getattr(loggers, name)("somewhere")(RECORD, ROWS)
    assert [call[0] for call in client.told] == calls
    assert any({"train_loss": 1.0} in arguments for _, arguments, _ in client.told)


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_package_that_is_not_there_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=f"--{name}: needs the package {name}; pip install"):
        getattr(loggers, name)("somewhere")


def test_each_ended_trial_is_handed_over_and_an_error_is_only_said(tmp_path, capsys):
    store = open_store(tmp_path)
    write_outcome(store, RECORD, ROWS)
    seen = []

    def away(record, rows):
        raise ConnectionError("no server")

    takes = [away, lambda record, rows: seen.append((record.id, rows))]
    loggers.log_trial(takes, store, RECORD.id)
    assert seen == [(RECORD.id, ROWS)]
    assert "no server" in capsys.readouterr().out
