"""Attempts at a trial in a results folder: continue from its checkpoint, write its record.

A trial that has its record is done and is not run again. Failures of the machine, as opposed to the training,
are retried; after `ATTEMPTS` errors of the trial itself, its record says crashed.
"""

import json
import os
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables import registry
from trainables.distributed.parallel import Team
from trainables.distributed.processes import in_processes
from trainables.errors import BadInput, raised_at
from trainables.results.canonical import canonical_json
from trainables.results.outcomes import Outcome, Reason
from trainables.results.record import Record, attempts_path, damaged_files, read_records, write_outcome
from trainables.results.store import Store, Unavailable
from trainables.results.versions import code_hash, versions
from trainables.spec import TrialSpec
from trainables.tasks.task import Task
from trainables.training.checkpoint import Saver, checkpoint_path, read_checkpoint
from trainables.training.evaluation import Errors
from trainables.training.loop import run_trial
from trainables.worker.live import Report, RowFile
from trainables.worker.memory import large_tensors_kept
from trainables.worker.printed import Log, copy_of, copy_of_member, printed
from trainables.worker.sources import data_of, sources

Attempt = dict[str, Any]
"""An attempt as stored in attempts.json: run, node, error, worker (host:pid) and start time."""

ATTEMPTS = 3
CHECKPOINT_SECONDS = 30.0
KILLED = "the worker process was killed and left no error message"


@dataclass(frozen=True)
class TrialContext:
    """The conditions of a trial that do not change its result.

    Attributes:
        data_folder: Where downloaded and generated data sets are stored on this machine.
        threads: Number of threads of all processes of the trial together.
        run, node: Ids of the study run and of the machine; only errors within one run and on nodes that are
            still alive count.
        node_alive: Whether the node with this id is still alive.
        report: Called with each row of the history as soon as it is complete.
    """

    store: Store
    data_folder: Path
    device: torch.device
    threads: int = 1
    processes: int = 1
    run: str = ""
    node: str = ""
    node_alive: Callable[[str], bool] = lambda node: True
    report: Report = lambda row: None


def attempt(spec: TrialSpec, context: TrialContext) -> Record:
    """The record of a trial: the existing one if its files are intact, else a new one, written with its files."""
    records, _ = read_records(context.store, [spec.id])
    if spec.id in records and not damaged_files(context.store, records.values()):
        _tidy(spec.id, context.store)
        return records[spec.id]
    log, errors = Log(copy_of(context.run, spec.id)), _earlier_errors(spec.id, context)
    for number, error in enumerate(errors, 1):
        log.add(f"Attempt {number} of {ATTEMPTS} failed: {error['error'] or KILLED}\n")
    with printed(log):
        record = _attempts(spec, context, errors, log)
    log.write(context.store, spec.id)
    return record


def _attempts(spec: TrialSpec, context: TrialContext, errors: list[Attempt], log: Log) -> Record:
    while len(errors) < ATTEMPTS:
        _note_attempt(spec.id, context, errors)
        if len(errors) == ATTEMPTS - 1:
            # The last attempt starts over: the checkpoint may be the cause.
            context.store.delete(checkpoint_path(spec.id))
        try:
            return _finish(spec, context)
        except Unavailable:
            raise  # a failure of the results folder, not of the trial
        except Exception as error:  # one trial's error must not keep the others from running
            errors.append({"run": context.run, "node": context.node, "error": raised_at(error)})
            log.add(f"Attempt {len(errors)} of {ATTEMPTS} failed:\n{_traceback(error)}\n")
            if isinstance(error, BadInput):
                break
    record = crashed(spec, errors[-1]["error"] or KILLED, context.device)
    write_outcome(context.store, record, [])
    _tidy(spec.id, context.store)
    return record


def crashed(spec: TrialSpec, detail: str, device: torch.device, reason: Reason | None = None) -> Record:
    """The record of a trial that could not finish for a reason outside its training.

    Args:
        detail: The exception, or another cause, in one line.
    """
    out_of_memory = "OutOfMemoryError" in detail or "MemoryError" in detail
    return Record(
        id=spec.id,
        spec=spec.model_dump(mode="json"),
        outcome=Outcome.CRASHED,
        reason=reason or (Reason.OUT_OF_MEMORY if out_of_memory else Reason.ERROR),
        detail=detail,
        device=device.type,
        **_provenance(time.time()),
    )


def _finish(spec: TrialSpec, context: TrialContext) -> Record:
    started = time.time()
    threads = max(1, context.threads // context.processes)
    copy = copy_of(context.run, spec.id)
    newest = RowFile(copy.with_suffix(".row"))
    arguments = (
        spec,
        context.store,
        context.data_folder,
        threads,
        copy,
        context.report if context.processes == 1 else newest,
    )
    record, rows, errors = in_processes(
        context.processes,
        context.device,
        _train,
        *arguments,
        meanwhile=lambda: newest.pass_on(context.report),
    )
    record = replace(record, device=context.device.type, **_provenance(started))
    write_outcome(context.store, record, rows, errors)
    _tidy(spec.id, context.store)
    return record


def _train(
    spec: TrialSpec,
    store: Store,
    data_folder: Path,
    threads: int,
    log: Path,
    report: Report,
    device: torch.device,
    team: Team,
) -> tuple[Record, list[dict[str, float]], dict[str, np.ndarray]]:
    """Record, history, and the errors on each test sample by name."""
    torch.set_num_threads(threads)
    # A single process is the worker itself, whose output is logged already.
    kept = printed(Log(copy_of_member(log, team.rank))) if team.count > 1 else nullcontext()
    errors: Errors = {}
    with kept, large_tensors_kept():
        made_from = sources(spec, data_folder, code_hash())  # before training: files may be edited meanwhile
        task = load_task(canonical_json(spec.task), data_folder, device, data_of(made_from))
        save = Saver(store, spec.id, CHECKPOINT_SECONDS, made_from)
        saved = read_checkpoint(store, spec.id, device, made_from)
        record, rows = run_trial(spec, task, device, saved, save, team, errors.update, report)
    return replace(record, sources=made_from), rows, {name: values.numpy() for name, values in errors.items()}


@lru_cache(maxsize=2)
def load_task(
    description: str, data_folder: Path, device: torch.device, data: tuple[tuple[str, str], ...]
) -> Task:
    """The task of a spec on a device; cached, since the next trials of this process usually share it.

    Args:
        data: The hashes of its files, so that they are read again if they have changed.
    """
    task: Task = registry.build("task", json.loads(description), data_folder)
    task.to(device)
    return task


def _earlier_errors(trial_id: str, context: TrialContext) -> list[Attempt]:
    """Attempts of this run that left no record although their node is still alive."""
    try:
        noted = json.loads(context.store.read(attempts_path(trial_id)))
        return [entry for entry in noted if entry["run"] == context.run and context.node_alive(entry["node"])]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return []


def _note_attempt(trial_id: str, context: TrialContext, errors: list[Attempt]) -> None:
    entry = {
        "run": context.run,
        "node": context.node,
        "error": "",
        "worker": _worker(),
        "started": time.time(),
    }
    context.store.write(attempts_path(trial_id), json.dumps([*errors, entry]).encode())


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _tidy(trial_id: str, store: Store) -> None:
    store.delete(checkpoint_path(trial_id))
    store.delete(attempts_path(trial_id))


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _provenance(started: float) -> dict[str, Any]:
    return {"started": started, "worker": _worker(), "versions": versions()}
