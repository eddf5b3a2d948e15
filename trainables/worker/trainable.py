"""The trainable that Ray Tune runs: one trial of a study, in a worker that is reused for the next."""

import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from setproctitle import setproctitle

from trainables.results.outcomes import Reason
from trainables.results.record import Record, write_outcome
from trainables.results.store import PatientStore, open_store
from trainables.spec import TrialSpec
from trainables.worker.attempt import TrialContext, attempt, crashed
from trainables.worker.conditions import Conditions
from trainables.worker.live import Report, Row, Throttled
from trainables.worker.printed import Log, copy_of
from trainables.worker.watchdog import watched

SUMMARY = (
    "outcome", "reason", "metric", "metric_goal", "val_metric", "test_metric", "trivial", "equivariance_error",
    "constraint_at_projection", "theta_area", "epochs", "steps", "seconds",
)  # fmt: skip
"""The fields of a record that a trial reports when it ends."""


def trainable(config: dict[str, Any], conditions: Conditions) -> dict[str, Any]:
    """Run the study trial of a Tune trial, and report its numbers as it trains.

    Args:
        config: Made by `study.execution.naming`; contains the trial's spec and readable name.
        conditions: What the trials of the run share.

    Returns:
        The numbers of the last epoch and of the record.
    """
    if conditions.code_folder not in ("", *sys.path):
        sys.path.append(conditions.code_folder)  # last, so that nothing there hides a module of this project

    def report(row: Row) -> None:
        tune.report({**row, "timesteps_total": row["step"]})
        setproctitle(title)  # Ray has overwritten it with its own

    title = f"ray::trial {config['name']}"
    setproctitle(title)
    live = Throttled(report, conditions.report_seconds)
    record = run(TrialSpec.model_validate(config["spec"]), conditions, live)
    numbers = {name: getattr(record, name) for name in SUMMARY}
    return {**live.row, "timesteps_total": record.steps, **numbers}


def run(spec: TrialSpec, conditions: Conditions, report: Report = lambda row: None) -> Record:
    """The record of a trial, made within the limits of the study."""
    context = TrialContext(
        store=PatientStore(open_store(conditions.results)),
        data_folder=Path(conditions.data_folder).expanduser(),
        device=torch.device("cuda" if conditions.gpus and torch.cuda.is_available() else "cpu"),
        threads=conditions.threads,
        processes=conditions.processes,
        run=conditions.run,
        node=ray.get_runtime_context().get_node_id(),
        node_alive=_alive,
        report=report,
    )

    thread = threading.get_ident()

    def last_words(reason: Reason, detail: str) -> None:
        log = Log(copy_of(conditions.run, spec.id))
        log.add(f"The trial was stopped: {detail}\nStack at that point:\n{_place(thread)}")
        log.write(context.store, spec.id)
        write_outcome(context.store, crashed(spec, detail, context.device, reason), [])

    with watched(conditions.limits, last_words):
        return attempt(spec, context)


def _place(thread: int) -> str:
    """Where in the code a thread is."""
    return "".join(traceback.format_stack(sys._current_frames()[thread]))


def _alive(node: str) -> bool:
    return any(entry["NodeID"] == node and entry["Alive"] for entry in ray.nodes())
