"""One trial in plain PyTorch: from a TrialSpec and its loaded task to a record and a history.

`run_trial` knows nothing of Ray, files or clusters: the state that must survive an interruption is passed to `save`
and comes back as `saved`.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from trainables.distributed.parallel import Team
from trainables.results.record import Record
from trainables.spec import TrialSpec
from trainables.tasks.anisotropy import of_training_data
from trainables.tasks.task import Task
from trainables.training.delivery import deliver
from trainables.training.epoch import train_epoch
from trainables.training.evaluation import Errors, pass_over
from trainables.training.outcome import better, failed_during_training
from trainables.training.run import ALONE, PRECISIONS, Run, State, start, state_of


def run_trial(
    spec: TrialSpec,
    task: Task,
    device: torch.device,
    saved: State | None = None,
    save: Callable[[Callable[[], State]], None] = lambda state: None,
    team: Team = ALONE,
    keep: Callable[[Errors], None] = pass_over,
    report: Callable[[dict[str, float]], None] = lambda row: None,
) -> tuple[Record, list[dict[str, float]]]:
    """Train, project and test one trial; returns its record and its history, one row per epoch.

    The same spec gives the same bits on a CPU, interrupted or not (except for times), and the same numbers up
    to rounding for any number of processes.

    Args:
        saved: The state of an interrupted run of the same spec, to resume from.
        save: Called after each epoch with a function that returns the state; it decides whether to save it.
        team: The processes that train together; each calls this, and only the first validates, saves and
            tests.
        keep: Called once with the errors on each test sample, if the model is tested at all.
        report: Called with the row of each epoch.
    """
    started, worked = time.perf_counter(), time.process_time()
    loaded, task = task, task.with_dtype(PRECISIONS[spec.training.precision])
    run = start(spec, task, device, saved, team)
    progress, earlier_seconds = run.progress, run.progress.seconds
    earlier_work = run.progress.cpu_seconds
    verdict = None
    for epoch in range(len(progress.rows), spec.training.epochs):
        row = train_epoch(run, epoch)
        progress.rows.append(row)
        progress.seconds = earlier_seconds + time.perf_counter() - started
        progress.cpu_seconds = cpu_seconds(run, earlier_work, time.process_time() - worked)
        remember_delivered(run, row)
        team.first(lambda: report(progress.rows[-1]))
        verdict = failed_during_training(row, progress.train_loss_at_init, spec.failure, task.loss_ideal)
        if verdict is not None:
            break
        team.first(lambda: save(lambda: state_of(run)))

    def finish() -> Record:
        record = deliver(spec, task, run.method, run.model, progress, verdict, keep)
        return replace(record, anisotropy=of_training_data(loaded))

    return team.first(finish), progress.rows


def cpu_seconds(run: Run, earlier: float | None, since: float) -> float | None:
    """The processor seconds of a trial so far, of all threads and of all processes that train it together.

    Args:
        run: The training.
        earlier: Those of its earlier attempts; None if they were not counted.
        since: Those of this process in this attempt.

    Returns:
        The sum, or None if a GPU does the work: the processor then waits, which costs processor time too.
    """
    if earlier is None or run.device.type != "cpu":
        return None
    return earlier + run.team.sum(torch.tensor([since], dtype=torch.float64)).item()


def remember_delivered(run: Run, row: dict[str, float]) -> None:
    """Keep the model that would be delivered now if it is the best so far, or if the spec selects the last.

    One rule for every arm: all validated epochs are candidates, each with the model that would be delivered after it.
    """
    if "val_metric" not in row:
        return
    metric, loss = (row.get(f"projected_{name}", row[name]) for name in ("val_metric", "val_loss"))
    best = run.progress.best.get("val_metric")
    if run.spec.training.select == "last" or better(metric, best, run.task.metric_goal):
        with run.method.delivered(run.model) as model:
            state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        numbers = {"epoch": row["epoch"], "val_metric": metric, "val_loss": loss}
        run.progress.best = {**numbers, "state": state}
