"""One writer at a time in a results folder: a lock with owner and age, taken over when its owner is gone."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from trainables.registry import BadInput
from trainables.store import Store

LOCK = "run.lock"
BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


@contextmanager
def locked(store: Store) -> Iterator[str]:
    """Hold the folder while the block runs; yields the id of this run. BadInput if another run holds it.

    The owner renews the lock every few seconds. A lock is stale once it was not renewed for a minute, or its
    owner was a process of this machine that no longer lives.
    """
    run = uuid.uuid4().hex[:12]
    refuse_if_held(store)
    store.write(LOCK, _content(run))
    # Two runs may have found the folder free at once: the one whose lock stands after both wrote goes on.
    time.sleep(0.3)
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
    owner = {"run": run, "host": socket.gethostname(), "pid": os.getpid(), "renewed": time.time()}
    return json.dumps(owner).encode()


def _renew(store: Store, run: str, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            store.write(LOCK, _content(run))
        except OSError:
            continue  # the next beat may get through; a missed one only ages the lock


def refuse_if_held(store: Store, but_by: str = "") -> None:
    """Raise BadInput, with owner and age, if a run other than `but_by` holds the folder."""
    try:
        owner = json.loads(store.read(LOCK))
        held_by, host, pid, renewed = owner["run"], owner["host"], int(owner["pid"]), float(owner["renewed"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return
    age = abs(time.time() - renewed)
    gone = host == socket.gethostname() and not _lives(pid)
    if held_by != but_by and not gone and age < STALE_SECONDS:
        raise BadInput(
            f"results: {store.uri} is in use by process {pid} on {host} (renewed {age:.0f} s ago); "
            "wait for it or stop it"
        )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
