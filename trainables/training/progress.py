"""The numbers of a trial in training; part of its checkpoint."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TrainingProgress:
    """The measurements so far.

    Attributes:
        step: Steps done.
        rows: The history, one row per epoch.
        loss_at_init, metric_at_init: Of the strict network on validation before the first step.
        train_loss_at_init: Its loss on training samples before the first step.
        best: epoch, val_metric, val_loss and state of the model that would be delivered now; empty before the first
            epoch.
        constraint_at_projection: Theta, or the largest |gamma|, just before the projection.
        before_projection, after_projection: Validation metric before and after the projection.
        relaxed_layers: Number of layers with a companion that the first step called.
        seconds: Time spent, interrupted runs included.
        cpu_seconds: Processor time of training, interrupted runs included; None if unknown.
    """

    step: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    loss_at_init: float = float("nan")
    train_loss_at_init: float = float("nan")
    metric_at_init: float | None = None
    constraint_at_projection: float | None = None
    before_projection: float | None = None
    after_projection: float | None = None
    params_train: int = 0
    relaxed_layers: int = 0
    seconds: float = 0.0
    cpu_seconds: float | None = None
