"""Starts the processes of one trial on its machine and makes sure that all of them end."""

import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from trainables.distributed.parallel import ProcessGroup, Team

T = TypeVar("T")

WAIT_SECONDS = 1.0
NO_TIMEOUT = timedelta(days=365)  # the watchdog limits how long a trial may take


class ProcessFailed(RuntimeError):
    """A process of a trial died and the others were ended; the message has its traceback if available."""


def in_processes(
    count: int,
    device: torch.device,
    work: Callable[..., T],
    *arguments: Any,
    meanwhile: Callable[[], None] = lambda: None,
) -> T:
    """The result of `work(*arguments, device, team)` in the first of `count` processes.

    A single process is this one. Several are all child processes while this one waits, so that it can end the
    others whatever happens to one of them, even if an exchange on a GPU hangs. They find each other through a
    file and communicate over the loopback interface. They die with this process, even if it is killed.

    Args:
        work, arguments: Must be picklable if `count` is above 1; so must the result of `work`.
        meanwhile: Called in this process every second while it waits for several.
        device: Device of all processes; if it is CUDA, each gets one GPU, in the order of CUDA_VISIBLE_DEVICES.

    Raises:
        Exception: The one that a process raised, with its traceback as the cause.
        ProcessFailed: If a process died in any other way.
    """
    if count == 1:
        return work(*arguments, device, Team())
    spawn = multiprocessing.get_context("spawn")  # a forked process can use neither CUDA nor torch's threads
    task = pickle.dumps((work, arguments))  # unpickled where import errors are reported
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        processes = [
            spawn.Process(target=_member, args=(rank, count, folder, device, task), daemon=True)
            for rank in range(count)
        ]
        try:
            for process in processes:
                process.start()
            _wait_for_all(processes, Path(folder), meanwhile)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
                    process.join()
        return pickle.loads(Path(folder, "result").read_bytes())


def _wait_for_all(processes: Sequence[BaseProcess], folder: Path, meanwhile: Callable[[], None]) -> None:
    running: dict[Any, BaseProcess] = {process.sentinel: process for process in processes}
    while running:
        meanwhile()
        for sentinel in wait(list(running), WAIT_SECONDS):
            process = running.pop(sentinel)
            process.join()
            if process.exitcode:
                _raise(processes.index(process), process.exitcode, folder)


def _raise(rank: int, exit_code: int, folder: Path) -> None:
    """Raise the error that ended the process, or an earlier one: peers of a failed process fail too."""
    errors = sorted(folder.glob("error-*"), key=lambda path: path.stat().st_mtime_ns)
    if exit_code < 0 or not errors:
        raise ProcessFailed(f"process {rank} of the trial ended with exit code {exit_code}")
    text, error = pickle.loads(errors[0].read_bytes())
    if error is None:
        raise ProcessFailed(text)
    raise pickle.loads(error) from ProcessFailed(text)


def _packed(error: Exception) -> bytes:
    """The traceback, and the error if it can be pickled."""
    text = "".join(traceback.format_exception(error))
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:  # any class may fail to pickle, in any way
        pickled = None
    return pickle.dumps((text, pickled))


def _member(
    rank: int,
    count: int,
    folder: str,
    device: torch.device,
    task: bytes,
) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        os.environ.update(GLOO_SOCKET_IFNAME="lo", NCCL_SOCKET_IFNAME="lo")
        if device.type == "cuda":
            device = torch.device("cuda", rank)
            torch.cuda.set_device(device)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=dist.FileStore(f"{folder}/rendezvous", count),
            rank=rank,
            world_size=count,
            timeout=NO_TIMEOUT,
        )
        work, arguments = pickle.loads(task)
        result = work(*arguments, device, ProcessGroup(rank, count, device))
        if rank == 0:
            Path(folder, "result").write_bytes(pickle.dumps(result))
        dist.barrier()  # a peer may still be waiting for data from this process
    except Exception as error:
        Path(folder, f"error-{rank}").write_bytes(_packed(error))
        _leave(1)
    _leave(0)


def _leave(code: int) -> None:
    """Exit at once: an orderly exit may wait for the peers, and sometimes aborts in a torch thread."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "started by `in_processes` only"
    parent.join()
    os._exit(1)
