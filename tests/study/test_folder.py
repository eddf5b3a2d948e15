"""A results folder belongs to one study, grows with its grid, and has one writer at a time."""

import json
import os
import socket
import time

import pytest
from tests_support import CONTENT, changed

from study import lock
from study.config import resolve_config
from study.folder import check_folder, planned_records, write_folder
from study.inspection.tally import Tally
from study.lock import LOCK, locked
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.record import Record, write_outcome
from trainables.results.store import open_store


def open_with(content, store):
    config = resolve_config(content)
    trials = plan(config)
    check_folder(store, config, trials)
    write_folder(store, config, trials)
    return trials


def test_config_and_plan_are_written_first(tmp_path):
    store = open_store(tmp_path)
    trials = open_with(CONTENT, store)
    planned = json.loads(store.read("plan.json"))
    assert [entry["id"] for entry in planned] == [trial.id for trial in trials]
    assert planned[0]["spec"] == trials[0].spec.model_dump(mode="json")
    assert b"diverged" in store.read("study.yaml")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("grid/seed", 5),
        ("grid/lr", [1e-4, 1e-3, 1e-2, 1e-1, 1.0]),
        ("arms/cosine", {"method": "relaxed", "schedule": "cosine"}),
        ("resources", {"cpus": 2}),
    ],
)
def test_a_larger_grid_extends_the_folder(tmp_path, path, value):
    store = open_store(tmp_path)
    before = {trial.id for trial in open_with(CONTENT, store)}
    after = {trial.id for trial in open_with(changed(path, value), store)}
    assert before <= after


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("model/hidden", 9, "model.hidden: 8 -> 9"),
        ("training/epochs", 3, "training.epochs: 2 -> 3"),
        ("failure/diverged", {"factor": 5}, "failure.diverged.factor: 10.0 -> 5.0"),
        (
            "arms/triangle",
            {"method": "relaxed", "schedule": "cosine"},
            "arms.triangle.schedule: triangle -> cosine",
        ),
        ("grid/seed", 2, "grid.seed: 2 removed"),
        ("name", "other", "contains the study 'small'"),
    ],
)
def test_a_change_to_existing_trials_is_refused_with_the_difference(tmp_path, path, value, words):
    store = open_store(tmp_path)
    open_with(CONTENT, store)
    before = store.read("study.yaml"), store.read("plan.json")
    with pytest.raises(BadInput, match=words.replace(".", r"\.")):
        open_with(changed(path, value), store)
    assert (store.read("study.yaml"), store.read("plan.json")) == before


def test_status_counts_outcomes_and_names_bad_records(tmp_path):
    store = open_store(tmp_path)
    ids = [trial.id for trial in open_with(CONTENT, store)]
    for trial_id, outcome in zip(ids, ["learned", "failed", "failed", "crashed"], strict=False):
        write_outcome(store, Record(trial_id, {}, outcome), [])
    store.write(f"trials/{ids[4]}/record.json", b"{")
    entries, records, complaints = planned_records(store)
    assert Tally(len(entries), list(records.values())).counts == {
        "planned": 24,
        "learned": 1,
        "failed": 2,
        "crashed": 1,
        "missing": 20,
    }
    assert len(complaints) == 1
    assert ids[4] in complaints[0]


def test_status_of_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no plan\.json"):
        planned_records(open_store(tmp_path))


def test_two_runs_do_not_share_a_folder(tmp_path):
    store = open_store(tmp_path)
    with locked(store), pytest.raises(BadInput, match=f"in use by process {os.getpid()}"), locked(store):
        pass
    assert store.names("") == []


def owner(**changes):
    now = {"run": "x", "host": "elsewhere", "pid": 1, "renewed": time.time()}
    return json.dumps({**now, **changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        owner(renewed=time.time() - 120),
        owner(host=socket.gethostname(), pid=2**22 + 1),
        b"",
        b"{}",
        b"[1]",
    ],
    ids=["not renewed", "owner gone", "empty", "no keys", "a list"],
)
def test_a_stale_or_damaged_lock_is_taken_over(tmp_path, monkeypatch, content):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.1)
    store = open_store(tmp_path)
    store.write(LOCK, content)
    with locked(store):
        assert json.loads(store.read(LOCK))["pid"] == os.getpid()


def test_a_fresh_lock_of_another_machine_holds(tmp_path):
    store = open_store(tmp_path)
    store.write(LOCK, owner())
    with pytest.raises(BadInput, match="on elsewhere"), locked(store):
        pass
