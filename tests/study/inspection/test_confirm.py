"""A trial trained again: records that are confirmed, records that are not, and code that may not run."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from tests_support import changed, study

from study.config import resolve_config
from study.folder import write_folder
from study.inspection.foreign import refuse_foreign
from study.plan import plan
from trainables import registry
from trainables.errors import BadInput
from trainables.results.canonical import content_hash, trial_id
from trainables.results.pack import pack
from trainables.results.record import Record, encode_record, read_records, record_path, write_outcome
from trainables.results.store import LocalStore
from trainables.training.building import build_model
from trainables.training.evaluation import evaluate
from trainables.worker.attempt import TrialContext, attempt


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A results folder with one trained trial, relaxed for most of its epochs; its spec and record."""
    folder = tmp_path_factory.mktemp("results")
    content = changed("grid", {"lr": [1e-2], "seed": [3]})
    content["arms"] = {"triangle": {"method": "relaxed", "schedule": "triangle"}}
    config = resolve_config(content)
    trials = plan(config)
    store = LocalStore(folder / "study")
    write_folder(store, config, trials)
    record = attempt(trials[0].spec, TrialContext(store, folder / "data", torch.device("cpu")))
    return folder, trials[0].spec, read_records(store, [record.id])[0][record.id]


@pytest.fixture
def copy(original, tmp_path):
    """Make a folder with that trial's plan, its record changed: `copy(val_metric=3.0)`."""
    folder, spec, record = original

    def make(**changes):
        store = LocalStore(tmp_path / "copy")
        for name in ("study.yaml", "plan.json", f"trials/{spec.id}/history.parquet"):
            store.write(name, (folder / "study" / name).read_bytes())
        store.write(record_path(spec.id), encode_record(replace(record, **changes)))
        return store.root

    return make


def show_again(original, folder, *options):
    return study(
        "show", folder, original[1].id[:6], "--data-dir", original[0] / "data", "--retrain", *options
    )


def test_a_record_is_confirmed_and_its_network_saved(original, tmp_path):
    folder, spec, record = original
    weights = tmp_path / "network.pt"
    done = study("show", folder / "study", spec.id, "--weights", weights, "--data-dir", folder / "data")
    assert (done.returncode, done.stderr) == (0, "")
    assert "confirmed: every recorded number came out the same" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if str(folder.parent) not in line) <= 80
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["test_metric", str(record.test_metric), str(record.test_metric)] in lines
    assert ["history", "2", "epochs", "2", "epochs"] in lines
    assert ["test_errors", "10", "samples", "10", "samples"] in lines

    task = registry.build("task", spec.task, folder / "data")
    network = build_model(spec, task, torch.float32)
    network.load_state_dict(torch.load(weights, weights_only=True))
    assert evaluate(network, task, task.splits["test"])[task.metric] == record.test_metric


def test_a_packed_file_is_confirmed_too(original, tmp_path):
    pack(original[0] / "study", tmp_path / "packed.parquet")
    assert show_again(original, tmp_path / "packed.parquet").returncode == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_metric": 0.001}, "not confirmed: test_metric"),
        ({"relaxed_layers": 9, "outcome": "learned"}, "not confirmed: outcome, relaxed_layers"),
        ({"versions": {"torch": "1.0"}, "val_loss": 2.0}, "torch 1.0 then"),
        ({"sources": {"trainables": "0"}, "val_loss": 2.0}, "trainables 0 then"),
        ({"worker": "elsewhere:7", "val_loss": 2.0}, "machine elsewhere then"),
        ({"history_sha256": "0" * 64}, "not confirmed: history.parquet"),
    ],
)
def test_a_record_that_was_changed_is_found(original, copy, changes, words):
    done = show_again(original, copy(**changes))
    assert done.returncode == 1
    assert words in done.stdout


def test_it_says_so_if_nothing_else_has_changed(original, copy):
    assert "other differences: none" in show_again(original, copy(val_loss=2.0)).stdout


def test_a_number_that_was_not_recorded_yet_is_not_compared(original, copy):
    root = copy()
    path = root / record_path(original[1].id)
    content = json.loads(path.read_text())
    del content["theta_area"], content["checksum"]
    content["checksum"] = content_hash(content)
    path.write_text(json.dumps(content))
    done = show_again(original, root)
    assert done.returncode == 0
    assert "theta_area" not in done.stdout


def test_a_history_that_was_changed_with_its_record_is_found(original, tmp_path):
    folder, spec, record = original
    rows = pq.read_table(folder / "study/trials" / spec.id / "history.parquet").to_pylist()
    rows[1]["val_loss"] += 1e-6
    store = LocalStore(tmp_path)
    for name in ("study.yaml", "plan.json"):
        store.write(name, (folder / "study" / name).read_bytes())
    write_outcome(store, replace(record, test_errors_sha256=None), rows)
    done = show_again(original, tmp_path)
    assert done.returncode == 1
    assert "not confirmed: history epoch 1 val_loss" in done.stdout


def test_a_record_edited_by_hand_and_a_spec_of_another_trial_are_found_without_training(original, copy):
    root = copy()
    path = root / record_path(original[1].id)
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    edited = show_again(original, root)
    assert (edited.returncode, "its checksum does not match" in edited.stdout) == (1, True)
    other = show_again(original, copy(spec={**original[2].spec, "seed": 4}))
    assert (other.returncode, "does not match the trial's id" in other.stdout) == (1, True)
    assert "training" not in edited.stdout + other.stdout


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"outcome": "crashed", "reason": "error"}, (), "crashed and has no numbers"),
        ({"outcome": "failed", "reason": "diverged"}, ("--weights", "w.pt"), "delivered no network"),
        ({}, ("--weights", "/proc/w.pt"), "--weights: /proc/w.pt cannot be written"),
        ({}, ("--weights", "nowhere/w.pt"), "--weights: nowhere/w.pt cannot be written"),
        ({}, ("--weights", "."), "--weights: . cannot be written"),
    ],
)
def test_impossible_requests_are_refused_in_one_line_up_front(original, copy, changes, options, words):
    done = show_again(original, copy(**changes), *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert words in done.stderr
    assert "training" not in done.stdout


def test_a_trial_without_a_record_cannot_be_confirmed(original, copy):
    root = copy()
    (root / record_path(original[1].id)).unlink()
    done = show_again(original, root)
    assert (done.returncode, "no record to confirm" in done.stderr) == (2, True)


@pytest.fixture
def stranger(original, tmp_path, monkeypatch):
    """Make a folder whose trial names code that leaves a crater: `stranger("training/optimizer", "trap:Bomb")`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crater_trap.py").write_text(
        "from pathlib import Path\n\nfrom trainables.models.egnn import EGNN\n\n"
        "Path('crater').touch()\n\n\nclass Own(EGNN):\n    pass\n"
    )

    def make(place, value):
        spec = json.loads(json.dumps(original[2].spec))
        *parents, last = place.split("/")
        block = spec
        for parent in parents:
            block = block[parent]
        block[last] = value
        name = trial_id(spec)
        store = LocalStore(tmp_path / name)
        store.write("plan.json", json.dumps([{"id": name, "arm": "theirs", "spec": spec}]).encode())
        write_outcome(store, Record(id=name, spec=spec, outcome="learned", val_metric=0.0), [])
        return store.root, name

    return make


@pytest.mark.parametrize(
    "place",
    ["task/name", "model/name", "method/name", "method/schedule", "training/optimizer", "model/anything"],
)
def test_a_strangers_folder_runs_no_code(stranger, tmp_path, place):
    root, name = stranger(place, "crater_trap:Own")
    for options in ((), ("--retrain",), ("--retrain", "--allow", "another")):
        done = study("show", root, name, *options)
        assert not (tmp_path / "crater").exists()
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "crater_trap:Own" in done.stderr
    assert "--allow crater_trap" in done.stderr


def test_a_module_that_is_allowed_is_imported(stranger, original, tmp_path):
    root, name = stranger("model/name", "crater_trap:Own")
    options = ("--retrain", "--allow", "crater_trap", "--data-dir", original[0] / "data")
    done = study("show", root, name, *options)
    assert (tmp_path / "crater").exists()
    assert (done.returncode, done.stderr) == (1, "")
    assert "! val_metric" in done.stdout


def test_an_invalid_spec_is_refused_in_one_line(stranger, original):
    for place, value in (("model/hidden", -3), ("training/lr", "much"), ("model/name", "eggn")):
        root, name = stranger(place, value)
        done = study("show", root, name, "--retrain", "--data-dir", original[0] / "data")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("egnn", True),
        ("trainables.models.egnn:EGNN", True),
        ("trainables.tasks.nbody:nbody", True),
        (
            "study.execution.jobs:fetch",
            False,
        ),  # would copy files of a stranger's choice to a place of their choice
        ("trainables.results.pack:pack", False),
        ("os:system", False),
    ],
)
def test_specs_may_name_only_some_parts_of_the_project(name, passes):
    if passes:
        refuse_foreign({"method": {"name": name}}, ())
    else:
        with pytest.raises(BadInput, match="--allow"):
            refuse_foreign({"method": [{"name": name}]}, ())
