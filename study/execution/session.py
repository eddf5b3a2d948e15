"""The Ray session of a run: started here or joined, ended with the run, and open to Ctrl-C at any moment."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray._private import ray_constants

from study.execution.reach import check_reachable
from trainables.errors import BadInput

HANDLER_SECONDS = 0.01
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray for the time of the block: the cluster at `address`, or one of its own on the loopback interface."""
    start = _start_ray if address is None else partial(_join_cluster, address)
    # Ray starts in a thread, where no Ctrl-C falls: left half started by it Ray crashes on leaving. The thread lives
    # as long as Ray's processes, which end with the thread that began them.
    with ThreadPoolExecutor(1) as thread:
        try:
            started = thread.submit(start)
            # Ray takes SIGTERM for itself while it starts, and would abort this process without tidying up.
            while wait([started], HANDLER_SECONDS).not_done:
                signal.signal(signal.SIGTERM, _interrupt)
            signal.signal(signal.SIGTERM, _interrupt)
            started.result()
            yield
        finally:
            thread.submit(ray.shutdown).result()


def _start_ray() -> None:
    """Start a Ray cluster of this process's own; its workers find a user's model where the command was given."""
    # "local": a cluster that happens to run on this machine is somebody else's.
    local: dict[str, Any] = {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        with _loopback_only():
            ray.init(**local, **QUIET)
    except Exception as error:  # it has no type of its own for this
        raise ConnectionError(f"Ray does not start here ({str(error).strip().splitlines()[0]})") from error


def _join_cluster(address: str) -> None:
    """Connect to the Ray cluster at `address`."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        check_reachable(address, host, int(port))
    try:
        ray.init(address=address, **QUIET)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"--address {address}: no Ray cluster to run on there ({reason})") from error


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Let Ray take 127.0.0.1 at its word: else it opens its ports, which run code, to the whole network."""
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C: a batch system's polite end must clean up too."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(*unused: object) -> None:
    raise KeyboardInterrupt
