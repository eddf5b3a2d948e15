"""Validation of a model in training, as columns of its history."""

from trainables.spec import TrialSpec
from trainables.training.equivariance import history_error
from trainables.training.evaluation import evaluate
from trainables.training.run import Run


def validated(spec: TrialSpec, epoch: int) -> bool:
    """Whether an epoch, counted from 0, ends with validation: every `validate_every`-th and the last do."""
    return (epoch + 1) % spec.training.validate_every == 0 or epoch + 1 == spec.training.epochs


def validate(run: Run) -> dict[str, float]:
    """Loss and metric on validation, and the equivariance error of the model in training.

    If the method projects the model, also loss and metric of the projected one.
    """
    validation = evaluate(run.model, run.task, run.task.splits["val"])
    columns = {"val_loss": validation["loss"], "val_metric": validation[run.task.metric]}
    columns["equivariance_error"] = history_error(run.model, run.task)
    if run.projection_step > 0 and run.method.delivers_strict:
        if run.relaxed:
            with run.method.delivered(run.model) as model:
                validation = evaluate(model, run.task, run.task.splits["val"])
        columns |= {
            "projected_val_loss": validation["loss"],
            "projected_val_metric": validation[run.task.metric],
        }
    return columns


def validation_metric(run: Run) -> float:
    """The task's metric of the current model on the validation split."""
    return evaluate(run.model, run.task, run.task.splits["val"])[run.task.metric]
