"""Which trials are training now: those begun by the run that holds the folder."""

import json
import os
import socket
import time

import pytest

from study import lock
from study.inspection.running import running
from trainables.results.record import attempts_path
from trainables.results.store import open_store

NAMES = [f"{number:016x}" for number in range(3)]
ENTRIES = [{"id": name, "arm": "strict", "spec": {"training": {"lr": 1e-3}, "seed": 4}} for name in NAMES]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def begin(store, name, run, **more):
    attempt = {"run": run, "node": "", "error": "", "worker": "host:7", "started": time.time() - 90, **more}
    store.write(attempts_path(name), json.dumps([{"run": "before"}, attempt]).encode())


def test_trials_of_the_run_that_holds_the_folder(store):
    with lock.locked(store) as run:
        for name in NAMES:
            begin(store, name, run)
        begin(store, NAMES[1], "an earlier run")
        (found,) = running(store, ENTRIES, done=[NAMES[2]])
        assert (found.trial, found.arm, found.lr, found.seed, found.worker) == (
            NAMES[0],
            "strict",
            1e-3,
            4,
            "host:7",
        )
        assert found.line() == "strict, lr 0.001, seed 4 (00000000) on host:7 for 2 min"
    assert running(store, ENTRIES, []) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"[3]", b"{}", b'[{"run": 3}]', b"\xff"])
def test_damaged_attempts_are_ignored(store, content):
    with lock.locked(store):
        store.write(attempts_path(NAMES[0]), content)
        assert running(store, ENTRIES, []) == []


def test_a_lock_whose_owner_is_gone_is_ignored(store):
    gone = lock.Lock("run", socket.gethostname(), 2**22 + 1, time.time())
    store.write(lock.LOCK, json.dumps(gone._asdict()).encode())
    begin(store, NAMES[0], "run")
    assert running(store, ENTRIES, []) == []
    old = lock.Lock("run", "elsewhere", os.getpid(), time.time() - 120)
    store.write(lock.LOCK, json.dumps(old._asdict()).encode())
    assert running(store, ENTRIES, []) == []
