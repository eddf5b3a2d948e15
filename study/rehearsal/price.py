"""The cost of a whole study, as text: each arm's step and trial, then core or GPU hours and wall-clock hours."""

import math
import os
from collections.abc import Iterator

import torch

from study.config import Resources, StudyConfig
from study.plan import PlannedTrial
from study.rehearsal.estimate import Cost, Spread, cost
from trainables.errors import BadInput, raised_at
from trainables.results.canonical import canonical_json


def priced(config: StudyConfig, trials: list[PlannedTrial], data_folder: str) -> Iterator[str]:
    """A line for each arm, as soon as it is measured, then one for the study; arms of unknown cost are named."""
    device = torch.device("cuda" if config.resources.gpus and torch.cuda.is_available() else "cpu")
    total, unknown = Spread(0, 0, 0), []
    for arm, method in config.arms.items():
        mine = [trial for trial in trials if trial.arm == arm]
        head = f"  arm {arm}: {method['name']}, {len(mine)} trials"
        try:
            groups = [(len(group), cost(group[0].spec, data_folder, device)) for group in _alike(mine)]
        except Exception as error:  # a user's model may raise anything; `study check` says more
            unknown.append(arm)
            yield f"{head}, cost unknown ({error if isinstance(error, BadInput) else raised_at(error)})"
            continue
        total = _sum(total, *(_times(found.trial, count) for count, found in groups))
        yield f"{head}, {_steps([found for _, found in groups])}"
    yield _sentence(config, len(trials), total, unknown, device) + _compiled(trials)


def _compiled(trials: list[PlannedTrial]) -> str:
    """A note if the times leave out compilation."""
    return "; steps are timed uncompiled" if any(trial.spec.training.compile for trial in trials) else ""


def _alike(trials: list[PlannedTrial]) -> list[list[PlannedTrial]]:
    """The trials in groups of equal cost, which differ only in learning rate and seed."""
    groups: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        spec = trial.spec.model_dump(mode="json")
        training = {key: value for key, value in spec["training"].items() if key != "lr"}
        groups.setdefault(canonical_json([spec["task"], spec["model"], spec["method"], training]), []).append(
            trial
        )
    return list(groups.values())


def _steps(costs: list[Cost]) -> str:
    step = costs[0].step
    if len(costs) > 1:
        cheap, dear = (pick(costs, key=lambda found: found.trial.median) for pick in (min, max))
        return (
            f"{_milliseconds(cheap.step.median)} to {_milliseconds(dear.step.median)} ms a step at full theta, "
            f"{_minutes(cheap.trial.median)} to {_minutes(dear.trial.median)} min a trial"
        )
    return (
        f"{_milliseconds(step.median)} ms a step at full theta ({_milliseconds(step.low)} to "
        f"{_milliseconds(step.high)}), {_minutes(costs[0].trial.median)} min a trial"
    )


def _sentence(
    config: StudyConfig, count: int, total: Spread, unknown: list[str], device: torch.device
) -> str:
    """Core or GPU hours and wall-clock hours on this machine."""
    resources, clock = config.resources, _slots(config.resources, count)
    without = f", without {', '.join(unknown)}, whose cost is unknown" if unknown else ""
    if len(unknown) == len(config.arms):
        return "the cost of every arm is unknown"
    if resources.gpus and device.type != "cuda":
        return f"this machine has no GPU to time on: {_hours(total)} core hours without one{without}"
    what, share = ("GPU", resources.gpus) if resources.gpus else ("core", resources.cpus)
    return (
        f"about {_hours(_times(total, share))} {what} hours, {_hours(_times(total, 1 / clock))} wall-clock hours "
        f"with {clock} trial{'s' if clock > 1 else ''} at once on this machine{without}"
    )


def _slots(resources: Resources, count: int) -> int:
    """The number of trials that run at once on this machine."""
    slots = [count, math.floor(len(os.sched_getaffinity(0)) / resources.cpus)]
    slots += [math.floor(torch.cuda.device_count() / resources.gpus)] if resources.gpus else []
    slots += [resources.concurrent] if resources.concurrent else []
    return max(1, min(slots))


def _sum(*spreads: Spread) -> Spread:
    return Spread(*(sum(getattr(one, name) for one in spreads) for name in ("low", "median", "high")))


def _times(spread: Spread, factor: float) -> Spread:
    return Spread(spread.low * factor, spread.median * factor, spread.high * factor)


def _hours(seconds: Spread) -> str:
    low, median, high = (f"{value / 3600:.2g}" for value in (seconds.low, seconds.median, seconds.high))
    return f"{median} ({low} to {high})"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.3g}"
