"""The trainable that Ray Tune runs: a slot of the cluster that makes attempts at one trial after the other."""

import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from trainables.results.outcomes import Reason
from trainables.results.record import Record, write_outcome
from trainables.results.store import PatientStore, open_store
from trainables.spec import TrialSpec
from trainables.worker.attempt import Surroundings, attempt, crashed
from trainables.worker.conditions import Conditions
from trainables.worker.printed import Log, copy_of
from trainables.worker.watchdog import watched


def trainable(config: dict[str, Any], queue: "ray.actor.ActorHandle", conditions: Conditions) -> None:
    """Run trials in this slot, named by its id in Tune, until none is left.

    queue: hands them out; `next_trial(slot, id, outcome)` of study.execution.queue
    conditions: what the trials of the run share
    """
    if conditions.code_folder not in ("", *sys.path):
        sys.path.append(conditions.code_folder)  # last, so that nothing there hides a module of this project
    slot, trials = tune.get_context().get_trial_id(), 0
    first: ray.ObjectRef[str | None] = queue.next_trial.remote(slot)
    spec = ray.get(first)
    while spec is not None:
        record = run(TrialSpec.model_validate_json(spec), conditions)
        trials += 1
        spec = ray.get(queue.next_trial.remote(slot, record.id, record.outcome))
    tune.report({"trials": trials})


def run(spec: TrialSpec, conditions: Conditions) -> Record:
    """The record of a trial, made within the limits of the study."""
    surroundings = Surroundings(
        store=PatientStore(open_store(conditions.results)),
        data_folder=Path(conditions.data_folder).expanduser(),
        device=torch.device("cuda" if conditions.gpus and torch.cuda.is_available() else "cpu"),
        threads=conditions.threads,
        processes=conditions.processes,
        run=conditions.run,
        node=ray.get_runtime_context().get_node_id(),
        node_alive=_alive,
    )

    thread = threading.get_ident()

    def last_words(reason: Reason, detail: str) -> None:
        log = Log(copy_of(conditions.run, spec.id))
        log.add(f"The trial was ended: {detail}\nIt was here:\n{_place(thread)}")
        log.write(surroundings.store, spec.id)
        write_outcome(surroundings.store, crashed(spec, detail, surroundings.device, reason), [])

    with watched(conditions.limits, last_words):
        return attempt(spec, surroundings)


def _place(thread: int) -> str:
    """Where in the code a thread is."""
    return "".join(traceback.format_stack(sys._current_frames()[thread]))


def _alive(node: str) -> bool:
    return any(entry["NodeID"] == node and entry["Alive"] for entry in ray.nodes())
