"""The end of a trial: the delivered model is tested once, its equivariance measured, its record written."""

import math
from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.methods.method import Method
from trainables.results.outcomes import AFTER_TRAINING, Outcome
from trainables.results.record import Record, finite
from trainables.spec import TrialSpec
from trainables.tasks.task import Task
from trainables.training.building import build_model
from trainables.training.equivariance import delivered_errors
from trainables.training.evaluation import Errors, evaluate
from trainables.training.outcome import Judged, Verdict, failed_after_training
from trainables.training.progress import TrainingProgress


def deliver(
    spec: TrialSpec,
    task: Task,
    method: Method,
    model: nn.Module,
    progress: TrainingProgress,
    verdict: Verdict | None,
    keep: Callable[[Errors], None],
) -> Record:
    """The record of a training that ended: judged by `verdict` if it ended early, else by the failure rules.

    The test set is read only here, by the model of the epoch that `training.select` chose, unless training
    ended early. `keep` receives its errors on each sample, see `test`.
    """
    best, rows = progress.best, progress.rows
    if verdict is None:
        judged = Judged(task.metric_goal, task.trivial, task.metric_ideal, progress.metric_at_init)
        val_metrics = delivered_metrics(rows)
        best_of_all = (min if task.metric_goal == "min" else max)(val_metrics, default=None)
        verdict = failed_after_training(val_metrics, best_of_all, judged, spec.failure)
    tested: dict[str, Any] = {}
    if best and (verdict is None or verdict.reason in AFTER_TRAINING):
        model.load_state_dict(best["state"])
        tested = test(spec, task, method, model, keep)
    return Record(
        id=spec.id,
        spec=spec.model_dump(mode="json"),
        outcome=Outcome.LEARNED if verdict is None else Outcome.FAILED,
        reason=None if verdict is None else verdict.reason,
        detail="" if verdict is None else verdict.detail,
        metric=task.metric,
        metric_goal=task.metric_goal,
        val_metric=finite(best.get("val_metric")),
        val_loss=finite(best.get("val_loss")),
        trivial=finite(task.trivial),
        loss_at_init=finite(progress.loss_at_init),
        theta_area=finite(fmean(row.get("theta_mean", 0.0) for row in rows)) if rows else None,
        constraint_at_projection=finite(progress.constraint_at_projection),
        before_projection=finite(progress.before_projection),
        after_projection=finite(progress.after_projection),
        best_epoch=best.get("epoch"),
        epochs=len(rows),
        steps=progress.step,
        relaxed_layers=progress.relaxed_layers,
        params_train=progress.params_train,
        params_final=sum(parameter.numel() for parameter in model.parameters()),
        seconds=progress.seconds,
        cpu_seconds=progress.cpu_seconds,
        **tested,
    )


def delivered_metrics(rows: list[dict[str, float]]) -> list[float]:
    """Validation metrics of the models that would have been delivered after each validated epoch, without NaN."""
    seen = (row for row in rows if "val_metric" in row)
    metrics = (row.get("projected_val_metric", row["val_metric"]) for row in seen)
    return [metric for metric in metrics if not math.isnan(metric)]


def test(
    spec: TrialSpec,
    task: Task,
    method: Method,
    model: nn.Module,
    keep: Callable[[Errors], None],
) -> dict[str, Any]:
    """test_metric, further metrics and test sets, and the equivariance error in float64.

    Args:
        keep: Called once with the errors on each sample of "test", (samples,) by name, float32 on the host.
    """
    further_sets = [name for name in task.splits if name.startswith("test") and name != "test"]
    batches: list[Errors] = []
    results = {"test": evaluate(model, task, task.splits["test"], batches.append)}
    results |= {name: evaluate(model, task, task.splits[name]) for name in further_sets}
    keep({name: _joined(name, [batch[name] for batch in batches]) for name in batches[0]})
    further = {
        f"{name}_{metric}": finite(value)
        for name, metrics in results.items()
        for metric, value in metrics.items()
        if (name, metric) != ("test", task.metric)
    }
    if method.delivers_strict:
        exact = build_model(spec, task, torch.float64).to(next(model.parameters()).device)
        exact.load_state_dict(model.state_dict())
    else:
        exact = model.double()
    errors = delivered_errors(exact, task)
    return {
        "test_metric": finite(results["test"][task.metric]),
        "tests": further,
        "equivariance_error": finite(max(errors.values())),
        "equivariance_errors": {kind: finite(error) for kind, error in errors.items()},
    }


def _joined(name: str, errors: list[Tensor]) -> Tensor:
    """The errors of all batches, (samples,), float32 on the host."""
    for batch in errors:
        if batch.ndim != 1:
            raise BadInput(
                f"task.name: its errors return '{name}' with shape {tuple(batch.shape)}; "
                "return one number for each sample"
            )
    return torch.cat(errors).detach().float().cpu()
