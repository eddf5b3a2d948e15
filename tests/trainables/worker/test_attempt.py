"""Attempts at a trial: resumed on another node, given up after three errors."""

import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest
import torch

from trainables import registry
from trainables.results.record import log_path
from trainables.results.record import test_errors_path as errors_path
from trainables.results.store import open_store
from trainables.spec import TrialSpec
from trainables.training import loop as training
from trainables.training.checkpoint import checkpoint_path
from trainables.worker import attempt as attempts
from trainables.worker.attempt import TrialContext, attempt
from trainables.worker.sources import sources

EPOCHS = 6
TASK = {"name": "nbody", "train": 10, "val": 5, "test": 5}


@pytest.fixture
def spec():
    return TrialSpec(
        task=registry.resolve("task", TASK),
        model=registry.resolve("model", {"name": "egnn", "hidden": 8, "layers": 1}),
        method=registry.resolve("method", {"name": "relaxed"}),
        training={"epochs": EPOCHS, "batch_size": 5},
        failure={},
        seed=0,
    )


@pytest.fixture
def epochs(monkeypatch):
    """A list that gets the number of each epoch as its training begins."""
    trained = []
    train_epoch = training.train_epoch

    def counted(run, epoch):
        trained.append(epoch)
        return train_epoch(run, epoch)

    monkeypatch.setattr(training, "train_epoch", counted)
    return trained


@pytest.fixture
def own(spec, tmp_path, monkeypatch):
    """A spec with a user's network, and the file of that network."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "edited_net", raising=False)
    path = tmp_path / "edited_net.py"
    path.write_text("from trainables.models.egnn import EGNN as Net\n")
    return spec.model_copy(update={"model": {"name": "edited_net:Net", "hidden": 8, "layers": 1}}), path


def interrupted_at(epoch, train_epoch):
    def train(run, current):
        if current == epoch:
            raise KeyboardInterrupt  # an error that ends the process is not the trial's
        return train_epoch(run, current)

    return train


def trial_context(tmp_path, folder, node):
    store = open_store(tmp_path / folder)
    data = tmp_path / "data"
    return TrialContext(
        store, data, torch.device("cpu"), run="run", node=node, node_alive=lambda name: name == "b"
    )


def test_a_trial_resumes_from_its_checkpoint_on_another_node(spec, epochs, monkeypatch, tmp_path):
    monkeypatch.setattr(attempts, "CHECKPOINT_SECONDS", 0.0)
    undisturbed = attempt(spec, trial_context(tmp_path, "undisturbed", "b"))
    assert epochs == list(range(EPOCHS))
    train_epoch = training.train_epoch
    epochs.clear()
    first = trial_context(tmp_path, "lost", "a")
    monkeypatch.setattr(training, "train_epoch", interrupted_at(4, train_epoch))
    with pytest.raises(KeyboardInterrupt):
        attempt(spec, first)
    assert epochs == [0, 1, 2, 3]
    epochs.clear()
    monkeypatch.setattr(training, "train_epoch", train_epoch)
    record = attempt(spec, trial_context(tmp_path, "lost", "b"))
    assert epochs == [4, 5]
    assert (record.val_metric, record.test_metric) == (undisturbed.val_metric, undisturbed.test_metric)
    with pytest.raises(FileNotFoundError):
        first.store.read(checkpoint_path(spec.id))


@pytest.mark.parametrize("edited", [False, True])
def test_a_trial_starts_over_if_its_code_has_changed(own, edited, epochs, monkeypatch, tmp_path):
    monkeypatch.setattr(attempts, "CHECKPOINT_SECONDS", 0.0)
    (spec, network), context = own, trial_context(tmp_path, "results", "b")
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", interrupted_at(4, training.train_epoch))
        with pytest.raises(KeyboardInterrupt):
            attempt(spec, context)
    epochs.clear()
    if edited:
        network.write_text(network.read_text() + "# corrected\n")
    del sys.modules["edited_net"]  # the next run imports it anew
    attempt(spec, context)
    assert epochs == ([0, 1, 2, 3, 4, 5] if edited else [4, 5])


def test_a_record_names_the_code_that_ran(own, monkeypatch, tmp_path):
    (spec, network), context = own, trial_context(tmp_path, "results", "b")
    before = sources(spec, context.data_folder, "")["module edited_net"]
    del sys.modules["edited_net"]  # a worker that has not read the file yet
    train_epoch = training.train_epoch

    def edits(run, epoch):
        network.write_text(network.read_text() + "# edited\n")
        return train_epoch(run, epoch)

    monkeypatch.setattr(training, "train_epoch", edits)
    first, second = (attempt(spec.model_copy(update={"seed": seed}), context) for seed in (0, 1))
    assert first.sources["module edited_net"] == second.sources["module edited_net"] == before


def test_a_reused_worker_reads_edited_data_again(spec, monkeypatch, tmp_path):
    context, read = trial_context(tmp_path, "results", "b"), []
    build = registry.build

    def counted(kind, *arguments):
        read.extend(["task"] if kind == "task" else [])
        return build(kind, *arguments)

    monkeypatch.setattr(registry, "build", counted)
    for seed, digest in enumerate("aab"):
        found = {"data mine": digest, "module of_another_trial": str(seed)}
        monkeypatch.setattr(attempts, "sources", lambda *arguments, found=found: found)
        attempt(spec.model_copy(update={"seed": seed}), context)
    assert len(read) == 2


def note_lost_attempts(store, spec, node):
    noted = [{"run": "run", "node": node, "error": ""}] * attempts.ATTEMPTS
    store.write(f"trials/{spec.id}/attempts.json", json.dumps(noted).encode())


def test_attempts_lost_with_their_nodes_do_not_count(spec, epochs, tmp_path):
    context = trial_context(tmp_path, "results", "b")
    note_lost_attempts(context.store, spec, "a")
    assert attempt(spec, context).outcome != "crashed"
    assert len(epochs) == EPOCHS


def test_workers_lost_on_a_living_node_count_as_errors(spec, epochs, tmp_path):
    context = trial_context(tmp_path, "results", "b")
    note_lost_attempts(context.store, spec, "b")
    record = attempt(spec, context)
    assert (record.outcome, record.reason) == ("crashed", "error")
    assert record.detail == "the worker process was killed and left no error message"
    assert epochs == []


PRINTING = """
import os
import signal
from trainables.models.egnn import EGNN

class Net(EGNN):
    def forward(self, graph):
        print("these are my last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""

ATTEMPT = """
import sys, torch
from pathlib import Path
from trainables.results.store import open_store
from trainables.spec import TrialSpec
from trainables.worker.attempt import TrialContext, attempt

store = open_store(sys.argv[1])
attempt(
    TrialSpec.model_validate_json(sys.argv[2]),
    TrialContext(store, Path(sys.argv[1], "data"), torch.device("cpu"), run="run", node="b"),
)
"""


def test_the_output_of_a_killed_worker_is_in_the_log(spec, tmp_path, monkeypatch):
    """Killed as by the machine's memory guard: none of the worker's code runs after that."""
    (tmp_path / "last_words_net.py").write_text(PRINTING)
    own = spec.model_copy(update={"model": {"name": "last_words_net:Net", "hidden": 8, "layers": 1}})
    environment = {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": f"{os.getcwd()}{os.pathsep}{tmp_path}",
    }
    command = [sys.executable, "-c", ATTEMPT, str(tmp_path / "results"), own.model_dump_json()]
    killed = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    context = trial_context(tmp_path, "results", "b")
    note_lost_attempts(context.store, own, "b")
    assert attempt(own, context).detail == attempts.KILLED
    log = context.store.read(log_path(own.id)).decode()
    assert log.startswith(
        "these are my last words\nAttempt 1 of 3 failed: the worker process was killed and left no error message\n"
    )


def test_damaged_test_errors_are_made_again_bit_for_bit(spec, epochs, tmp_path):
    context = trial_context(tmp_path, "results", "b")
    attempt(spec, context)
    path = errors_path(spec.id)
    written = context.store.read(path)
    attempt(spec, context)
    assert len(epochs) == EPOCHS
    context.store.write(path, written[:-1])
    attempt(spec, context)
    assert len(epochs) == 2 * EPOCHS
    assert context.store.read(path) == written
