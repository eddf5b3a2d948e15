"""One attempt at a trial in a results folder: go on from its checkpoint, leave its record.

A trial that has its record is done and is not run again. What goes wrong with the machine rather than with
the training is tried again; after `ATTEMPTS` errors of the trial itself its record says crashed.
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
from trainables.distributed.parallel import Alone
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
from trainables.worker.sources import sources

Attempt = dict[str, Any]
"""An attempt as attempts.json has it: run, node, error, worker (host:pid) and when it started."""

ATTEMPTS = 3
CHECKPOINT_SECONDS = 30.0
KILLED = "the worker died without a word"


@dataclass(frozen=True)
class Surroundings:
    """What a trial runs with that does not change its result.

    data_folder: where data sets and made data lie on this machine
    threads: of all processes of the trial together
    run, node: ids of the study run and of the machine; only errors within one run on living nodes count
    node_alive: whether the node of an id still answers
    report: takes each row of the history as it is made
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


def attempt(spec: TrialSpec, around: Surroundings) -> Record:
    """The record of a trial: the one that is there with its files, or made now and written with it."""
    records, _ = read_records(around.store, [spec.id])
    if spec.id in records and not damaged_files(around.store, records.values()):
        _tidy(spec.id, around.store)
        return records[spec.id]
    log, errors = Log(copy_of(around.run, spec.id)), _earlier_errors(spec.id, around)
    for number, error in enumerate(errors, 1):
        log.add(f"Attempt {number} of {ATTEMPTS} ended so: {error['error'] or KILLED}\n")
    with printed(log):
        record = _attempts(spec, around, errors, log)
    log.write(around.store, spec.id)
    return record


def _attempts(spec: TrialSpec, around: Surroundings, errors: list[Attempt], log: Log) -> Record:
    while len(errors) < ATTEMPTS:
        _note_attempt(spec.id, around, errors)
        if len(errors) == ATTEMPTS - 1:
            around.store.delete(checkpoint_path(spec.id))  # the last attempt does not trust what came before
        try:
            return _finish(spec, around)
        except Unavailable:
            raise  # the fault of the results folder, not of the trial
        except Exception as error:  # whatever it is, it must not cost the other trials their turn
            errors.append({"run": around.run, "node": around.node, "error": raised_at(error)})
            log.add(f"Attempt {len(errors)} of {ATTEMPTS} ended so:\n{_traceback(error)}\n")
            if isinstance(error, BadInput):
                break
    record = crashed(spec, errors[-1]["error"] or KILLED, around.device)
    write_outcome(around.store, record, [])
    _tidy(spec.id, around.store)
    return record


def crashed(spec: TrialSpec, detail: str, device: torch.device, reason: Reason | None = None) -> Record:
    """The record of a trial that infrastructure kept from ending.

    detail: the exception, or what else ended it, in one line
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


def _finish(spec: TrialSpec, around: Surroundings) -> Record:
    started = time.time()
    threads = max(1, around.threads // around.processes)
    copy = copy_of(around.run, spec.id)
    newest = RowFile(copy.with_suffix(".row"))
    arguments = (
        spec,
        around.store,
        around.data_folder,
        threads,
        copy,
        around.report if around.processes == 1 else newest,
    )
    record, rows, errors = in_processes(
        around.processes, around.device, _train, *arguments, meanwhile=lambda: newest.pass_on(around.report)
    )
    made_from = sources(spec, around.data_folder, code_hash())
    record = replace(record, device=around.device.type, sources=made_from, **_provenance(started))
    write_outcome(around.store, record, rows, errors)
    _tidy(spec.id, around.store)
    return record


def _train(
    spec: TrialSpec,
    store: Store,
    data_folder: Path,
    threads: int,
    log: Path,
    report: Report,
    device: torch.device,
    team: Alone,
) -> tuple[Record, list[dict[str, float]], dict[str, np.ndarray]]:
    """Record, history, and the errors on each test sample by name."""
    torch.set_num_threads(threads)
    # One process is the worker itself, whose log is kept already.
    kept = printed(Log(copy_of_member(log, team.rank))) if team.count > 1 else nullcontext()
    errors: Errors = {}
    with kept, large_tensors_kept():
        task = load_task(canonical_json(spec.task), data_folder, device)
        save = Saver(store, spec.id, CHECKPOINT_SECONDS)
        saved = read_checkpoint(store, spec.id, device)
        record, rows = run_trial(spec, task, device, saved, save, team, errors.update, report)
    return record, rows, {name: values.numpy() for name, values in errors.items()}


@lru_cache(maxsize=2)
def load_task(description: str, data_folder: Path, device: torch.device) -> Task:
    """The task of a spec on a device; kept, since the trials that follow in this process mostly share it."""
    task: Task = registry.build("task", json.loads(description), data_folder)
    task.to(device)
    return task


def _earlier_errors(trial_id: str, around: Surroundings) -> list[Attempt]:
    """Attempts of this run that ended without a record although their node is still alive."""
    try:
        noted = json.loads(around.store.read(attempts_path(trial_id)))
        return [entry for entry in noted if entry["run"] == around.run and around.node_alive(entry["node"])]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return []


def _note_attempt(trial_id: str, around: Surroundings, errors: list[Attempt]) -> None:
    entry = {"run": around.run, "node": around.node, "error": "", "worker": _worker(), "started": time.time()}
    around.store.write(attempts_path(trial_id), json.dumps([*errors, entry]).encode())


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _tidy(trial_id: str, store: Store) -> None:
    store.delete(checkpoint_path(trial_id))
    store.delete(attempts_path(trial_id))


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _provenance(started: float) -> dict[str, Any]:
    return {"started": started, "worker": _worker(), "versions": versions()}
