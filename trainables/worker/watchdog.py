"""Ends a worker whose trial exceeds its time or memory limit, even when the trial hangs in compiled code."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from trainables.results.outcomes import Reason
from trainables.worker.conditions import Limits

POLL_SECONDS = 0.5


@contextmanager
def watched(limits: Limits, on_excess: Callable[[Reason, str], None]) -> Iterator[None]:
    """End this process if the block exceeds its limits.

    A trial that hangs in compiled code cannot check itself, so a separate thread does.

    Args:
        on_excess: Called just before the process ends, with the reason and one line of detail.
    """
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(limits, on_excess, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(limits: Limits, on_excess: Callable[[Reason, str], None], ended: threading.Event) -> None:
    started = time.monotonic()
    while not ended.wait(POLL_SECONDS):
        excess = _excess(limits, time.monotonic() - started)
        if excess is None:
            continue
        try:
            on_excess(*excess)
        finally:
            os._exit(1)


def _excess(limits: Limits, seconds: float) -> tuple[Reason, str] | None:
    if limits.seconds is not None and seconds > limits.seconds:
        return Reason.TIMEOUT, f"the trial took longer than resources.timeout_minutes ({limits.seconds:g} s)"
    if limits.memory_bytes is not None and (used := resident_bytes()) > limits.memory_bytes:
        return Reason.OUT_OF_MEMORY, (
            f"the worker used {used / 1e9:.2f} GB, more than resources.memory_gb ({limits.memory_bytes / 1e9:g} GB)"
        )
    return None


def resident_bytes() -> int:
    """Resident memory of this process and its descendants; pages that they share count once."""
    this = psutil.Process()
    return this.memory_info().rss + sum(map(_private_bytes, this.children(recursive=True)))


def _private_bytes(process: psutil.Process) -> int:
    """Memory that a process shares with no other; slow to read (the kernel walks all pages), so only for children."""
    try:
        return process.memory_full_info().uss
    except psutil.Error:  # it ended in the meantime
        return 0
