"""One writer at a time in a results folder: a lock with owner and age, taken over once it is stale."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from trainables.errors import BadInput
from trainables.results.store import Store

LOCK = "run.lock"
BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


class Lock(NamedTuple):
    """The run that holds a folder, host and process of its driver, and the last renewal in seconds since 1970."""

    run: str
    host: str
    pid: int
    renewed: float


@contextmanager
def locked(store: Store) -> Iterator[str]:
    """Hold the folder while the block runs; yields the id of this run.

    The owner renews the lock every few seconds. A lock is stale if it has not been renewed for a minute, or if its
    owner was a process on this machine that has ended.

    Raises:
        BadInput: If another run holds it.
    """
    run = uuid.uuid4().hex[:12]
    refuse_if_held(store)
    began = time.monotonic()
    store.write(LOCK, _content(run))
    # Two runs may find the folder free at the same time: the one whose lock remains after both wrote continues.
    time.sleep(0.3 + 3 * (time.monotonic() - began))
    refuse_if_held(store, but_by=run)
    ended = threading.Event()
    renewal = threading.Thread(target=_renew, args=(store, run, ended), daemon=True)
    renewal.start()
    try:
        yield run
    finally:
        ended.set()
        renewal.join()
        store.delete(LOCK)


def _content(run: str) -> bytes:
    return json.dumps(Lock(run, socket.gethostname(), os.getpid(), time.time())._asdict()).encode()


def _renew(store: Store, run: str, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            store.write(LOCK, _content(run))
        except OSError:
            continue  # the next beat may get through; a missed one only ages the lock


def holder(store: Store) -> Lock | None:
    """The lock of the run that holds the folder, or None, as far as a single reading can show."""
    lock = _read(store)
    if lock is None or abs(time.time() - lock.renewed) > STALE_SECONDS:
        return None
    return None if lock.host == socket.gethostname() and not _is_alive(lock.pid) else lock


def refuse_if_held(store: Store, but_by: str = "") -> None:
    """Raise BadInput, with owner and age, if a run other than `but_by` holds the folder."""
    lock = _read(store)
    if lock is None or lock.run == but_by or (lock.host == socket.gethostname() and not _is_alive(lock.pid)):
        return
    age = time.time() - lock.renewed
    if not 0 <= age < STALE_SECONDS:
        # Clocks differ and may be reset: a lock counts as stale only if nobody renews it while we wait.
        time.sleep(1.5 * BEAT_SECONDS)
        if _read(store) in (lock, None):
            return
    raise BadInput(
        f"results: {store.uri} is in use by process {lock.pid} on {lock.host} (renewed {age:.0f} s ago); "
        "wait for it or stop it"
    )


def _read(store: Store) -> Lock | None:
    """The lock of the folder; None if it is missing or damaged."""
    try:
        content = json.loads(store.read(LOCK))
        return Lock(content["run"], content["host"], int(content["pid"]), float(content["renewed"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
