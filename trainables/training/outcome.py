"""The failure rules: pure functions of a trial's numbers, blind to its arm.

They compare distances, not ratios, so that they hold for losses and metrics of any sign and range.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from trainables.results.outcomes import Reason
from trainables.spec import Failure

Goal = Literal["min", "max"]


class Verdict(NamedTuple):
    """Why a trial failed, with its numbers in one line."""

    reason: Reason
    detail: str


class Judged(NamedTuple):
    """What is known about the judged metric before training; the numbers are from the validation split.

    Attributes:
        trivial: Metric of the trivial predictor.
        ideal: Value that no predictor surpasses (0 for an error, 1 for an accuracy); None if there is none.
        at_init: Metric of the strict network before the first step; None if unknown.
    """

    goal: Goal
    trivial: float
    ideal: float | None = None
    at_init: float | None = None


def better(metric: float, than: float | None, goal: Goal) -> bool:
    """Whether a metric improves on the best so far (None: nothing yet). NaN improves on nothing."""
    if math.isnan(metric):
        return False
    return than is None or (metric < than if goal == "min" else metric > than)


def failed_during_training(
    row: dict[str, float], train_loss_at_init: float, rules: Failure, loss_ideal: float | None
) -> Verdict | None:
    """Judge the end of an epoch by its history row: non_finite or diverged, or None to continue.

    A row without validation is judged by its other columns.
    """
    for name in ("train_loss", "grad_norm", "parameter_norm", "val_loss"):
        if not math.isfinite(row.get(name, 0.0)):
            return Verdict(Reason.NON_FINITE, f"{name} is not finite in epoch {row['epoch']:.0f}")
    scale = loss_scale(train_loss_at_init, loss_ideal)
    limit = train_loss_at_init + (rules.diverged.factor - 1) * scale
    if row["train_loss"] > limit:
        detail = f"training loss {row['train_loss']:.4g} above {limit:.4g} in epoch {row['epoch']:.0f}"
        return Verdict(Reason.DIVERGED, detail)
    return None


def loss_scale(at_init: float, ideal: float | None) -> float:
    """How far the training loss has to fall: from its value at initialization to the ideal.

    Without an ideal, the loss may have any sign and level; the scale is then its absolute value at
    initialization, and at least 1, the unit of a log-likelihood.
    """
    if ideal is not None and at_init > ideal:
        return at_init - ideal
    return max(abs(at_init), 1.0)


def failed_after_training(
    val_metrics: Sequence[float], best_delivered: float | None, judged: Judged, rules: Failure
) -> Verdict | None:
    """Judge a training that ran to its end: not_learned, collapsed, or None for learned.

    Args:
        val_metrics: Validation metric of each epoch.
        best_delivered: The best metric of a model that could be delivered; None if there is none.
    """
    to_beat = least_to_learn(judged, rules.not_learned.margin)
    if best_delivered is None or not better(best_delivered, to_beat, judged.goal):
        shown = "none" if best_delivered is None else f"{best_delivered:.4g}"
        return Verdict(Reason.NOT_LEARNED, f"best validation metric {shown} does not beat {to_beat:.4g}")
    best, last = min(val_metrics) if judged.goal == "min" else max(val_metrics), val_metrics[-1]
    limit = worst_to_keep(judged, best, rules.collapsed.factor)
    if better(limit, last, judged.goal):
        return Verdict(
            Reason.COLLAPSED, f"last validation metric {last:.4g}, best {best:.4g}, limit {limit:.4g}"
        )
    return None


def least_to_learn(judged: Judged, margin: float) -> float:
    """The metric to beat: `margin` of the way from the trivial predictor's to the ideal.

    Without an ideal, better than the trivial predictor's by `margin` times its distance to the one at
    initialization.
    """
    _, trivial, ideal, at_init = judged
    if ideal is not None and better(ideal, trivial, judged.goal):
        return trivial + margin * (ideal - trivial)
    spread = abs(trivial - at_init) if at_init is not None and math.isfinite(at_init) else 0.0
    return trivial - margin * spread if judged.goal == "min" else trivial + margin * spread


def worst_to_keep(judged: Judged, best: float, factor: float) -> float:
    """The worst metric allowed in the last epoch: 1/`factor` of the best gain over the trivial one is left.

    An error may also be `factor` times as far from its ideal as the best: one that gained little has lost little.
    """
    kept = judged.trivial + (best - judged.trivial) / factor
    if judged.goal == "min" and judged.ideal is not None and best > judged.ideal:
        return max(kept, judged.ideal + factor * (best - judged.ideal))
    return kept
