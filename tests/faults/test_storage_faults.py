"""Brief storage failures cost nothing; lasting ones end the run, but cost no trial."""

import itertools
import random
import re
import time
from pathlib import Path

import pytest
import torch
from failing_store import FailingStore
from real_run import CONTENT, assert_same_tables, undisturbed

import trainables.results.store
from study.config import resolve_config
from study.folder import write_folder
from study.plan import plan
from trainables.results.record import read_records
from trainables.results.store import PatientStore, Unavailable, open_store
from trainables.worker.attempt import TrialContext, attempt

SMALL = {**CONTENT, "grid": {"lr": [1e-3, 1e3], "seed": 1}}


@pytest.fixture
def pauses(monkeypatch):
    monkeypatch.setattr(trainables.results.store, "PAUSES", (0.0,) * 5)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), SMALL)


def run_with(store, folder, run=""):
    config = resolve_config(SMALL)
    trials = plan(config)
    write_folder(open_store(folder), config, trials)
    for trial in trials:
        attempt(trial.spec, TrialContext(store, folder / "data", torch.device("cpu"), run=run))


@pytest.mark.parametrize("seed", range(3))
def test_errors_at_random_change_nothing(seed, reference, tmp_path, pauses):
    moments = random.Random(seed)
    failing = FailingStore(open_store(tmp_path), lambda: moments.random() < 0.1)
    run_with(PatientStore(failing), tmp_path)
    assert_same_tables(tmp_path, reference)


def test_a_full_disk_ends_the_attempt_at_any_write_and_the_next_one_is_whole(reference, tmp_path, pauses):
    whole = open_store(tmp_path)
    for calls in itertools.count(0, 4):
        left = iter(range(calls))
        full = PatientStore(FailingStore(whole, lambda left=left: next(left, None) is None))
        try:
            run_with(full, tmp_path, run=str(calls))
            break
        except Unavailable as error:
            assert re.fullmatch(rf"{tmp_path} cannot be read or written \(.*No space left.*\)", str(error))  # noqa: PT017
        records, complaints = read_records(whole, [path.name for path in tmp_path.glob("trials/*")])
        assert complaints == []
        assert {record.outcome for record in records.values()} <= {"learned", "failed"}
    assert calls > 10
    assert_same_tables(tmp_path, reference)


def test_missing_files_are_not_waited_for(tmp_path):
    started = time.monotonic()
    with pytest.raises(FileNotFoundError):
        PatientStore(open_store(tmp_path)).read("nowhere")
    assert time.monotonic() - started < 0.5
    assert not list(Path(tmp_path).iterdir())
