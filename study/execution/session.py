"""The Ray session of a run: started here or joined, ended with the run, and open to Ctrl-C at any moment."""

import errno
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray

from study.execution.private import check_version, loopback_only, searching, silence_lost_workers
from study.execution.reach import check_reachable
from trainables.errors import BadInput, brief

HANDLER_SECONDS = 0.01
LONGEST_PATH = 24
FREE_BYTES = 100e6
SHARED_MEMORY = "/dev/shm"
MACHINE_FAULTS = {errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EDQUOT}
INSTALLED = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray for the duration of the block: the cluster at `address`, or a new one on the loopback interface."""
    check_version()
    silence_lost_workers()
    start = _start_ray if address is None else partial(_join_cluster, address)
    # Ray starts in a thread, which Ctrl-C does not interrupt: a half-started Ray crashes on exit. The thread lives
    # as long as Ray's processes, which end with the thread that started them.
    with ThreadPoolExecutor(1) as thread:
        try:
            started = thread.submit(start)
            # Ray installs its own SIGTERM handler while it starts, which would abort this process without cleanup.
            while wait([started], HANDLER_SECONDS).not_done:
                signal.signal(signal.SIGTERM, _interrupt)
            signal.signal(signal.SIGTERM, _interrupt)
            started.result()
            yield
        finally:
            thread.submit(ray.shutdown).result()


def _start_ray() -> None:
    """Start a Ray cluster for this process; its workers find a user's model in the folder of the command."""
    # "local": a cluster that happens to run on this machine is somebody else's.
    local: dict[str, Any] = {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    folder = scratch_folder()
    try:
        with loopback_only():
            ray.init(
                **local,
                **QUIET,
                **object_store(folder),
                _temp_dir=folder,
                job_config=searching(_code_folders()),
            )
    except OSError as error:
        home = os.path.expanduser("~")
        if str(error.filename or "").startswith(home):
            raise BadInput(
                f"HOME: Ray cannot write a file that it keeps in {home} ({brief(error)}); set it to a writable folder"
            ) from error
        if error.errno not in MACHINE_FAULTS:
            raise ConnectionError(f"Ray does not start on this machine ({brief(error)})") from error
        raise BadInput(
            f"RAY_TMPDIR: Ray cannot start in {folder} ({brief(error)}); set it to another folder"
        ) from error
    except Exception as error:  # Ray has no type for this
        raise ConnectionError(
            f"Ray does not start on this machine ({str(error).strip().splitlines()[0]})"
        ) from error


def scratch_folder() -> str:
    """A folder for the sockets and logs of Ray: the first that has a short path, is writable and has room.

    Unix socket paths have up to 107 characters, most of which Ray needs; batch schedulers often set TMPDIR to a
    longer path.
    """
    given = os.environ.get("RAY_TMPDIR")
    own = f"ray-{os.getuid()}"
    usual = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", os.getcwd()] if given is None else [given]
    reasons = []
    for folder in dict.fromkeys(usual):
        reason = _unfit(folder)
        if reason is None:
            return os.path.join(folder, own)
        reasons.append(f"{folder} {reason}")
    raise BadInput(
        f"RAY_TMPDIR: no folder for Ray ({'; '.join(reasons)}); set it to one with a path of up to {LONGEST_PATH} "
        "characters"
    )


def object_store(scratch: str) -> dict[str, Any]:
    """Ray options for an object store beside its scratch folder, if the machine has no writable shared memory.

    Ray falls back to a folder if shared memory is small, and does not start if it is missing or read-only.
    The content of the store is small here: a run sends its workers descriptions of trials.
    """
    if not sys.platform.startswith("linux") or _writable(SHARED_MEMORY):
        return {}
    return {"_plasma_directory": os.path.dirname(scratch), "object_store_memory": int(FREE_BYTES)}


def _writable(folder: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _unfit(folder: str) -> str | None:
    """Why Ray cannot put its sockets in a folder; None if it can."""
    if len(os.fsencode(folder)) > LONGEST_PATH:
        return "has too long a path"
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return None if free >= FREE_BYTES else "is full"


def _code_folders() -> list[str]:
    """Folders where workers find this project: the root of an uninstalled checkout; none if it is installed."""
    root = str(Path(__file__).parents[2])
    return [] if root in INSTALLED else [root]


def _join_cluster(address: str) -> None:
    """Connect to the Ray cluster at `address`."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        check_reachable(address, host, int(port))
    try:
        ray.init(address=address, **QUIET, job_config=searching(_code_folders()))
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"--address {address}: no usable Ray cluster there ({reason})") from error


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that a job ended by a batch system cleans up too."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(*unused: object) -> None:
    raise KeyboardInterrupt
