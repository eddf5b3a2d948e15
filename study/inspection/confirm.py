"""Confirming the record of a trial: the trial is trained again, and each number compared."""

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from study.inspection import compare
from study.inspection.foreign import refuse_foreign
from study.inspection.retrain import Retrained, refuse_unwritable, retrain, save_network
from study.inspection.show import find_trial
from trainables import registry
from trainables.errors import BadInput, first_message
from trainables.results.canonical import trial_id
from trainables.results.folder import Damaged, read_config
from trainables.results.outcomes import AFTER_TRAINING, Outcome
from trainables.results.record import (
    UNFIT,
    Record,
    files_of,
    fits,
    history_path,
    read_records,
    record_path,
)
from trainables.results.store import Store
from trainables.results.versions import code_hash, versions
from trainables.spec import TrialSpec
from trainables.worker.sources import sources


def confirm(
    store: Store,
    trial: str,
    data_folder: Path,
    weights: Path | None = None,
    allowed: Sequence[str] = (),
    say: Callable[[str], Any] = print,
) -> bool:
    """Train a trial again from its stored spec, and return whether every number matches its record.

    On the same machine, with the same versions and number of threads, all numbers match exactly; if any does not,
    the known differences in such conditions are printed.

    Args:
        store: The results folder or packed file, which is only read.
        trial: The trial's id, or enough of its beginning to be unique.
        data_folder: Folder of downloaded and generated data sets.
        weights: Where to save the state_dict of the delivered network; None to save nothing.
        allowed: Modules outside this project that the spec may name.
        say: Shows a line.

    Raises:
        BadInput: If the trial does not exist, has no record, needs code that is not allowed or cannot be trained
            here, or if `weights` cannot be written.
    """
    name, _ = find_trial(store, trial)
    records, complaints = read_records(store, [name])
    if complaints:
        say(f"not confirmed: {complaints[0]}")
        return False
    if name not in records:
        raise BadInput(f"TRIAL: {name} has no record to confirm; `study run` creates it")
    record = records[name]
    if trial_id(record.spec) != name:
        say(f"not confirmed: the spec in {record_path(name)} does not match the trial's id")
        return False
    _refuse_without_numbers(record, weights)
    refuse_foreign(record.spec, allowed)
    spec = _checked(record.spec)
    if weights is not None:
        refuse_unwritable(weights)
    threads, processes = _resources(store)
    device = torch.device("cuda" if record.device == "cuda" and torch.cuda.is_available() else "cpu")
    say(
        f"training {name} again: {spec.model['name']} on {spec.task['name']}, {spec.method['name']}, "
        f"{spec.training.epochs} epochs; took {record.seconds:.0f} s"
    )
    again = retrain(spec, data_folder, device, threads)
    pairs = compare.results(json.loads(store.read(record_path(name))), again.record)
    pairs += _files(store, record, again)
    say(f"  {'':30} {'recorded':>22} {'now':>22}")
    for pair in pairs:
        say(pair.line())
    if weights is not None:
        save_network(again.network, weights)
        say(f"the delivered network is in {weights}")
    different = [pair.name for pair in pairs if not pair.is_same]
    if not different:
        say("confirmed: every recorded number came out the same")
        return True
    now = {
        "worker": socket.gethostname(),
        "device": device.type,
        "versions": versions(),
        "sources": sources(spec, data_folder, code_hash()),
    }
    reasons = [*compare.conditions(record, now), *_revisions(spec)]
    reasons += [f"{processes} processes then, 1 now"] if processes > 1 else []
    say(f"not confirmed: {', '.join(different)}")
    say(f"other differences: {'; '.join(reasons) or 'none; machine, versions, code and data are unchanged'}")
    return False


def _refuse_without_numbers(record: Record, weights: Path | None) -> None:
    if record.outcome == Outcome.CRASHED:
        raise BadInput(
            f"TRIAL: {record.id} crashed and has no numbers; `study run` with --retry-crashed runs it again"
        )
    if weights is not None and record.outcome == Outcome.FAILED and record.reason not in AFTER_TRAINING:
        raise BadInput(
            f"--weights: {record.id} failed in training ({record.reason}) and delivered no network; leave it out"
        )


def _checked(spec: dict[str, Any]) -> TrialSpec:
    try:
        return TrialSpec.model_validate(spec)
    except ValidationError as error:
        raise BadInput(f"TRIAL: {first_message(error, 'spec', TrialSpec)}") from error


def _resources(store: Store) -> tuple[int, int]:
    """The threads of each process of a trial, at most one per CPU of this machine, and the number of processes."""
    with suppress(FileNotFoundError, Damaged, TypeError, ValueError, AttributeError):
        resources = read_config(store).get("resources", {})
        processes = max(1, int(resources.get("processes", 1)))
        threads = int(resources.get("cpus", 1)) // processes
        return max(1, min(threads, os.cpu_count() or 1)), processes
    return 1, 1


def _files(store: Store, record: Record, again: Retrained) -> list[compare.Pair]:
    """History and test errors, each as one pair; a missing file is left out."""
    pairs = []
    for path in files_of(record):
        try:
            content = store.read(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not fits(record, path, content):
            pairs.append(compare.Pair(path.rpartition("/")[2], UNFIT, None))
        elif path == history_path(record.id):
            pairs.append(compare.history(content, again.rows))
        else:
            pairs.append(compare.test_errors(content, again.errors))
    return pairs


def _revisions(spec: TrialSpec) -> Iterator[str]:
    """The revisions of task, model and method that differ from those of the spec."""
    for kind in ("task", "model", "method"):
        description = getattr(spec, kind)
        then, here = (
            description.get("revision", 1),
            registry.revision_of(registry.locate(kind, description["name"])),
        )
        if then != here:
            yield f"revision of {description['name']} {then} then, {here} now"
