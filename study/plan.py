"""From a config to its trials, and the check that they can run in a folder."""

from itertools import product
from typing import Any

from pydantic import ValidationError

from study.config import StudyConfig, arms_of, method_of, resolve_at, resolve_config, to_yaml
from study.grid import STREAMS, set_option, split_axis
from study.refine.asked import check_refine
from study.refine.planned import PlannedTrial, planned_from
from study.search.samplers import draw_rates
from trainables.errors import BadInput, first_message, nearest
from trainables.results.alarms import alarms
from trainables.results.folder import (
    CONFIG,
    PLAN,
    Damaged,
    Plan,
    read_config,
    read_plan,
    write_config,
    write_plan,
)
from trainables.results.outcomes import Outcome
from trainables.results.record import Record, read_records
from trainables.results.store import Store
from trainables.results.yaml_text import read_yaml
from trainables.spec import LATER, TRIAL_ID, Training, TrialSpec
from trainables.training.optimizer_names import REVISIONS

ALWAYS_WRITTEN = {name for name, info in StudyConfig.model_fields.items() if info.json_schema_extra != LATER}
"""The keys that every study.yaml has; the others are written only if they are set."""

REPAIR = "`study run` rewrites it"


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
    try:
        spec = TrialSpec(**{**content, "training": {**content["training"], **own}})
        shared = Training(**content["training"])
    except ValidationError as error:
        message = first_message(error, "", TrialSpec)
        raise BadInput(message.replace("training.lr", "grid.lr").replace("seed:", "grid.seed:", 1)) from error
    return PlannedTrial(spec.id, arm, spec, shared if shared != spec.training else None)


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
    content["training"]["optimizer_revision"] = REVISIONS.get(str(optimizer), 1)
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
        own["optimizer_revision"] = REVISIONS.get(str(own["optimizer"]), 1)
    return own


def check_folder(store: Store, config: StudyConfig, trials: list[PlannedTrial]) -> list[str]:
    """Raise BadInput, naming the difference, if the folder contains what this study would change or drop.

    More seeds, learning rates or arms extend a folder.

    Returns:
        A line for each of study.yaml and plan.json that is missing or damaged. This study may write them again with
        `write_folder`, since the ids of the existing trials, which are hashes of their specs, show that the trials
        are its own.
    """
    new = read_yaml(to_yaml(config))
    old, planned = _whole_config(store), _intact_plan(store)
    existing = {name for name in store.names("trials") if TRIAL_ID.fullmatch(name)}
    existing |= set() if planned is None else set(planned.ids)
    if old is not None and old["name"] != new["name"]:
        raise BadInput(f"results: {store.uri} contains the study '{old['name']}'; choose another folder")
    dropped = existing - {trial.id for trial in trials}
    changed = [] if old is None else differences(old, new)
    if dropped or (existing and planned is None and changed):
        reason = "plan.json belongs to another study and can be deleted, or option defaults have changed"
        reason = reason if old else "study.yaml is missing or damaged"
        raise BadInput(
            f"results: {store.uri} contains trials that this config would change or drop "
            f"({'; '.join(changed) or reason}); choose another folder, or only extend the grid or the arms"
        )
    if not existing:
        return []
    found = {CONFIG: old, PLAN: planned}
    return [
        f"{name} in {store.uri} was missing or damaged" for name, content in found.items() if content is None
    ]


def _whole_config(store: Store) -> dict[str, Any] | None:
    """The config of a folder; None if missing, damaged or incomplete: half a YAML file may be valid YAML."""
    try:
        config = read_config(store)
    except (FileNotFoundError, Damaged):
        return None
    return config if set(config) >= ALWAYS_WRITTEN else None


def _intact_plan(store: Store) -> Plan | None:
    """The plan of a folder; None if it is missing, or not as it was written."""
    try:
        found = read_plan(store)
    except (FileNotFoundError, Damaged):
        return None
    return found if found.is_intact else None


def later_rounds(store: Store, config: StudyConfig) -> list[PlannedTrial]:
    """The trials after the grid in the folder's plan; none if the plan cannot be read."""
    found = _intact_plan(store)
    if config.refine is None or found is None:
        return []
    entries = [entry for entry in found.entries if entry.get("round", 1) != 1]
    try:
        return [planned_from(entry) for entry in entries if entry["arm"] in config.arms]
    except (ValueError, KeyError, TypeError):
        return []


def write_folder(store: Store, config: StudyConfig, trials: list[PlannedTrial]) -> None:
    """Write study.yaml and plan.json, so that the question is on record before the first trial."""
    write_config(store, to_yaml(config))
    write_plan(store, [trial.entry() for trial in trials])


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """`key: old -> new` for each setting in which two configs differ; mere extensions are left out."""
    if where.split(".")[0] in ("resources", "name", "control") or where in ("refine.budget", "search.trials"):
        return []
    if where == "refine" and old is None:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        extends = where == "arms"
        return [
            line
            for key in keys
            if key in old or not extends
            for line in differences(old.get(key), new.get(key), f"{where}.{key}".strip("."))
        ]
    if where.startswith("grid.") and isinstance(old, list) and isinstance(new, list):
        old = [value for value in old if value not in new]
        return [f"{where}: {', '.join(map(str, old))} removed"] if old else []
    return [] if old == new else [f"{where}: {old} -> {new}"]


def planned_records(store: Store) -> tuple[list[dict[str, Any]], dict[str, Record], list[str]]:
    """The entries of the plan, the good records by id, and a line for each bad record and alarm.

    Raises:
        BadInput: If the plan is missing or damaged.
    """
    try:
        found = read_plan(store)
    except FileNotFoundError as error:
        raise BadInput(f"DIR: {store.uri} contains no plan.json; is it a results folder?") from error
    except Damaged as error:
        raise BadInput(f"DIR: plan.json in {store.uri} is damaged ({error}); {REPAIR}") from error
    if found.num_skipped:
        reason = f"{found.num_skipped} entries are not trials"
        raise BadInput(f"DIR: plan.json in {store.uri} is damaged ({reason}); {REPAIR}")
    records, complaints = read_records(store, found.ids)
    return found.entries, records, complaints + alarms(records.values())


def count(records: dict[str, Record]) -> dict[str, int]:
    """The number of records with each outcome."""
    outcomes = [record.outcome for record in records.values()]
    return {outcome.value: outcomes.count(outcome) for outcome in Outcome}
