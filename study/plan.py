"""From a config to its trials."""

from itertools import product
from typing import Any

from pydantic import ValidationError

from study.config import StudyConfig, arms_of, method_of, resolve_at, resolve_config
from study.grid import STREAMS, set_option, split_axis
from study.refine.asked import check_refine
from study.refine.planned import PlannedTrial
from study.search.samplers import draw_rates
from trainables.errors import BadInput, first_message, nearest
from trainables.spec import Training, TrialSpec
from trainables.training.optimizer_names import revision_of


def planned_study(content: dict[str, Any]) -> tuple[StudyConfig, list[PlannedTrial]]:
    """The study in `content` (as read from YAML) and its first round.

    Raises:
        BadInput: As `resolve_config` and `plan` do.
    """
    config = resolve_config(content)
    return config, plan(config)


def plan(config: StudyConfig) -> list[PlannedTrial]:
    """The first round: every arm on every point of the grid, the arms of one point side by side.

    In a search, draws replace learning rates and seeds. An axis of one arm multiplies only the trials of that arm.

    Raises:
        BadInput: If `control` names no arm, two arms are the same, or a trial would have an invalid setting.
    """
    if config.control is not None and config.control not in config.arms:
        raise BadInput(
            f"control: there is no arm '{config.control}'; {nearest(config.control, list(config.arms))}"
        )
    applies, every = {axis: arms_of(config, axis) for axis in config.grid}, list(config.arms)
    trials: list[PlannedTrial] = []
    arms_by_id: dict[str, str] = {}
    for point in _points(config):
        shared = _settings(config, point)
        for arm in config.arms:
            own = {axis: value for axis, value in point.items() if arm in applies.get(axis, every)}
            content = {**shared, "method": _method(config, arm, own)}
            trial = _trial(arm, content, _own_training(config, arm, own))
            other = arms_by_id.setdefault(trial.id, trial.arm)
            if other != arm:
                raise BadInput(f"arms.{arm}: is the same as arms.{other}; change or remove one")
            trials.append(trial)
    trials = list({trial.id: trial for trial in trials}.values())
    check_refine(config, trials)
    return trials


def _points(config: StudyConfig) -> list[dict[str, Any]]:
    """The value of each axis, for each point of the grid; in a search, for each draw at each point of the others."""
    points = [dict(zip(config.grid, values, strict=True)) for values in product(*config.grid.values())]
    if config.search is None:
        return points
    draws = [{"lr": rate, "seed": seed} for seed, rate in enumerate(draw_rates(config.search))]
    return [{**draw, **point} for draw in draws for point in points]


def _trial(arm: str, content: dict[str, Any], own: dict[str, Any]) -> PlannedTrial:
    """The trial of an arm, made from the content of its spec and the training settings of that arm alone."""
    shared = _training(content["training"], "training")
    training = _training({**content["training"], **own}, f"arms.{arm}.training") if own else shared
    try:
        spec = TrialSpec(**{**content, "training": training})
    except ValidationError as error:
        message = first_message(error, "", TrialSpec)
        raise BadInput(message.replace("seed:", "grid.seed:", 1)) from error
    return PlannedTrial(spec.id, arm, spec, shared if shared != training else None)


def _training(settings: dict[str, Any], where: str) -> Training:
    try:
        return Training(**settings)
    except ValidationError as error:
        message = first_message(error, where, Training)
        raise BadInput(message.replace(f"{where}.lr", "grid.lr", 1)) from error


def _settings(config: StudyConfig, point: dict[str, Any]) -> dict[str, Any]:
    """The content of a spec at a point of the grid, except its method."""
    content = {
        "task": dict(config.task),
        "model": dict(config.model),
        "training": {**config.training.model_dump(), "lr": point["lr"]},
        "failure": config.failure.model_dump(),
        "seed": point["seed"],
        "seeds": {axis.partition(".")[2]: value for axis, value in point.items() if axis in STREAMS},
    }
    for axis, value in point.items():
        kind, _, _ = axis.partition(".")
        if kind in ("task", "model"):
            content[kind] = resolve_at(kind, content[kind], axis.split(".")[1:], value)
        elif kind == "training":
            content[kind] = set_option(content[kind], axis.split(".")[1:], value)
    optimizer = content["training"]["optimizer"]
    content["training"]["optimizer_revision"] = revision_of(str(optimizer))
    return content


def _method(config: StudyConfig, arm: str, point: dict[str, Any]) -> dict[str, Any]:
    """The method of an arm at a point of the axes that apply to it."""
    method = method_of(config.arms[arm])
    for axis, value in point.items():
        _, path = split_axis(axis, list(config.arms)) if axis.startswith("arms.") else ("", [])
        if path and path[0] != "training":
            method = resolve_at("method", method, path, value, f"grid.arms.{arm}")
    return method


def _own_training(config: StudyConfig, arm: str, point: dict[str, Any]) -> dict[str, Any]:
    """The training settings of one arm alone at a point of the axes that apply to it."""
    own = dict(config.arms[arm].get("training", {}))
    for axis, value in point.items():
        if axis.startswith("arms."):
            _, (first, *rest) = split_axis(axis, list(config.arms))
            own |= {".".join(rest): value} if first == "training" else {}
    if "optimizer" in own:
        own["optimizer_revision"] = revision_of(str(own["optimizer"]))
    return own
