"""What Tune, its callbacks and dashboards see of a trial: a readable name and a config."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from study.config import StudyConfig
from study.execution.search import Config
from study.grid import EVERY_ARM, STREAMS, get_option, split_axis
from study.refine.planned import PlannedTrial

USUAL = ("lr", "seed")
NOT_IN_NAMES = r"[^\w.+-]+"


def configs(trials: Iterable[PlannedTrial], config: StudyConfig) -> list[Config]:
    """The config of each trial: id, name, arm, lr, seed, the values of further axes, and the whole spec."""
    trials, arms = list(trials), list(config.arms)
    axes = [axis for axis in config.grid if axis not in USUAL]
    dumps = [trial.spec.model_dump(mode="json") for trial in trials]
    points = [
        {axis: value for axis in axes if (value := axis_value(trial.arm, spec, axis, arms)) is not None}
        for trial, spec in zip(trials, dumps, strict=True)
    ]
    names = [readable_name(trial, point) for trial, point in zip(trials, points, strict=True)]
    counts = Counter(names)
    return [
        {
            "trial": trial.id,
            "name": name if counts[name] == 1 else f"{name}-{trial.id[:8]}",
            "arm": trial.arm,
            "lr": trial.spec.training.lr,
            "seed": trial.spec.seed,
            **point,
            "spec": spec,
        }
        for trial, spec, point, name in zip(trials, dumps, points, names, strict=True)
    ]


def readable_name(trial: PlannedTrial, point: dict[str, Any]) -> str:
    """The name of a trial, such as triangle-lr3.2e-3-s2; `point` contains the values of further axes."""
    further = "".join(f"-{axis.rpartition('.')[2]}{value}" for axis, value in point.items())
    name = f"{trial.arm}-lr{short(trial.spec.training.lr)}{further}-s{trial.spec.seed}"
    return re.sub(NOT_IN_NAMES, "_", name)


def short(rate: float) -> str:
    """A learning rate to two digits: 3.2e-3."""
    mantissa, _, exponent = f"{rate:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def axis_value(arm: str, spec: dict[str, Any], axis: str, arms: list[str]) -> Any:
    """The value that the spec of an arm has on an axis of the grid; None if the axis belongs to another arm."""
    if axis in STREAMS:
        return get_option(spec, ["seeds", axis.partition(".")[2]], None)
    block, path = split_axis(axis, arms)
    if block in ("task", "model", "training"):
        return get_option(spec[block], path, None)
    if block not in (f"arms.{EVERY_ARM}", f"arms.{arm}"):
        return None
    value = get_option(spec, path if path[0] == "training" else ["method", *path], None)
    # A spec spells out what a config may write as a number.
    return value["weight"] if isinstance(value, dict) and value.get("course") == "constant" else value
