"""Ends a worker whose trial takes too long or too much memory, whatever the trial itself is doing."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from trainables.results.outcomes import Reason
from trainables.worker.conditions import Limits

LOOK_SECONDS = 0.5


@contextmanager
def watched(limits: Limits, last_words: Callable[[Reason, str], None]) -> Iterator[None]:
    """End this process if the block goes beyond its limits.

    last_words: called before the end with the reason and one line of detail
    A trial that hangs in compiled code does not come back to be asked, so a thread looks at it from outside.
    """
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(limits, last_words, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(limits: Limits, last_words: Callable[[Reason, str], None], ended: threading.Event) -> None:
    started = time.monotonic()
    while not ended.wait(LOOK_SECONDS):
        excess = _excess(limits, time.monotonic() - started)
        if excess is None:
            continue
        try:
            last_words(*excess)
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
    """Memory that this process holds, and its descendants beside it: what a fork still shares counts once."""
    this = psutil.Process()
    return this.memory_info().rss + sum(map(_private_bytes, this.children(recursive=True)))


def _private_bytes(process: psutil.Process) -> int:
    """What a process shares with no other; the kernel walks all its pages for it, so not for each of ours."""
    try:
        return process.memory_full_info().uss
    except psutil.Error:  # it ended while we looked
        return 0
