"""The record and log of a trial ended by its limits."""

import tempfile
import threading
from types import SimpleNamespace

import pytest

from trainables import registry
from trainables.models.egnn import EGNN
from trainables.results.record import log_path, read_records
from trainables.results.store import open_store
from trainables.spec import TrialSpec
from trainables.worker import trainable, watchdog
from trainables.worker.conditions import Conditions

hanging, ended = threading.Event(), threading.Event()


class Hanging(EGNN):
    """Hangs until the worker is ended."""

    def forward(self, graph):
        print("about to hang")
        hanging.set()
        wait_for_the_end()


def wait_for_the_end():
    ended.wait(60)
    raise KeyboardInterrupt


def test_the_log_of_a_trial_beyond_its_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    reason = ("timeout", "the trial took longer than resources.timeout_minutes (60 s)")
    monkeypatch.setattr(watchdog, "_excess", lambda limits, seconds: reason if hanging.is_set() else None)
    monkeypatch.setattr(watchdog.os, "_exit", lambda code: ended.set())
    node = SimpleNamespace(get_node_id=lambda: "node")
    monkeypatch.setattr(trainable, "ray", SimpleNamespace(get_runtime_context=lambda: node))
    spec = TrialSpec(
        task=registry.resolve("task", {"name": "nbody", "train": 10, "val": 5, "test": 5}),
        model={"name": f"{__name__}:Hanging", "hidden": 8, "layers": 1},
        method=registry.resolve("method", {"name": "strict"}),
        training={"epochs": 1, "batch_size": 5},
        failure={},
        seed=0,
    )
    with pytest.raises(KeyboardInterrupt):
        trainable.run(spec, Conditions(str(tmp_path), str(tmp_path / "data"), run="run"))
    store = open_store(tmp_path)
    (record,) = read_records(store, [spec.id])[0].values()
    assert (record.outcome, record.reason, record.detail) == ("crashed", *reason)
    log = store.read(log_path(spec.id)).decode()
    assert log.startswith(f"about to hang\nThe trial was stopped: {reason[1]}\n")
    assert "in wait_for_the_end" in log
