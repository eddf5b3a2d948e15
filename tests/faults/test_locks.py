"""One writer at a time, whatever the clocks say and however slow the storage is."""

import json
import threading
import time

import pytest

from study import lock
from study.lock import LOCK, locked
from trainables.errors import BadInput
from trainables.results.store import LocalStore, open_store


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 1.0)


@pytest.mark.parametrize("seconds", [-10_000, -1, 100])
def test_a_lock_that_is_renewed_holds_whatever_the_clock_says(seconds, tmp_path, monkeypatch):
    store = open_store(tmp_path)
    wall = time.time
    with locked(store):
        # From here on the clock of this machine differs from the one that the lock was written with.
        monkeypatch.setattr(lock.time, "time", lambda: wall() + seconds)
        with pytest.raises(BadInput, match="is in use by process"), locked(store):
            pass


def test_a_lock_from_the_future_that_nobody_renews_is_taken_over(tmp_path):
    store = open_store(tmp_path)
    owner = {"run": "x", "host": "elsewhere", "pid": 1, "renewed": time.time() + 1000}
    store.write(LOCK, json.dumps(owner).encode())
    with locked(store) as run:
        assert json.loads(store.read(LOCK))["run"] == run


class Slow(LocalStore):
    """Takes a second to write, like a bucket far away."""

    def write(self, path, content):
        time.sleep(1.0)
        super().write(path, content)


def test_one_of_many_simultaneous_starts_runs_on_slow_storage(tmp_path):
    inside, most, refused = [], [], []

    def compete(delay):
        time.sleep(delay)
        try:
            with locked(Slow(tmp_path)) as run:
                inside.append(run)
                most.append(len(inside))
                time.sleep(6)
                inside.remove(run)
        except BadInput as error:
            refused.append(str(error))

    threads = [threading.Thread(target=compete, args=(0.3 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert len(refused) == 3
