"""The failure rules: pure functions of the numbers a trial left, blind to its arm."""

import math
from typing import Literal, NamedTuple

from trainables.spec import Failure

Goal = Literal["min", "max"]


class Verdict(NamedTuple):
    """Why a trial failed: a reason of the outcome table and one line with its numbers."""

    reason: str
    detail: str


def better(metric: float, than: float | None, goal: Goal) -> bool:
    """Whether a metric improves on the best so far (None: nothing yet). NaN improves on nothing."""
    if math.isnan(metric):
        return False
    return than is None or (metric < than if goal == "min" else metric > than)


def failed_during_training(
    row: dict[str, float], train_loss_at_init: float, rules: Failure
) -> Verdict | None:
    """Judge the end of an epoch by its history row: non_finite or diverged, or None to go on."""
    for name in ("train_loss", "grad_norm", "parameter_norm", "val_loss"):
        if not math.isfinite(row[name]):
            return Verdict("non_finite", f"{name} is not finite in epoch {row['epoch']:.0f}")
    limit = rules.diverged.factor * train_loss_at_init
    if row["train_loss"] > limit:
        detail = f"training loss {row['train_loss']:.4g} above {limit:.4g} in epoch {row['epoch']:.0f}"
        return Verdict("diverged", detail)
    return None


def failed_after_training(
    rows: list[dict[str, float]], val_metric: float | None, trivial: float, goal: Goal, rules: Failure
) -> Verdict | None:
    """Judge a training that ran to its end: not_learned, collapsed, or None for learned."""
    margin = rules.not_learned.margin
    to_beat = trivial * (1 - margin) if goal == "min" else trivial + margin * (1 - trivial)
    if val_metric is None or not better(val_metric, to_beat, goal):
        shown = "none" if val_metric is None else f"{val_metric:.4g}"
        return Verdict("not_learned", f"best validation metric {shown} does not beat {to_beat:.4g}")
    metrics = [row["val_metric"] for row in rows]
    best, last, factor = min(metrics) if goal == "min" else max(metrics), metrics[-1], rules.collapsed.factor
    limit = best * factor if goal == "min" else best / factor
    if better(limit, last, goal):
        return Verdict("collapsed", f"last validation metric {last:.4g}, best {best:.4g}, limit {limit:.4g}")
    return None
