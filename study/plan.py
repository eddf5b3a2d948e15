"""From a config to its trials, and what is in the way of running them in a folder."""

import json
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from study.config import StudyConfig, arms_of, resolve_at, to_yaml
from study.grid import set_option, split_axis
from trainables.errors import BadInput, first_message
from trainables.results.alarms import alarms
from trainables.results.record import Record, read_records
from trainables.results.store import Store
from trainables.results.yaml_text import BadYAML, read_yaml
from trainables.spec import TRIAL_ID, TrialSpec, content_id
from trainables.training.optimizer_names import REVISIONS


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of the plan and the arm it belongs to; the spec itself knows no arm."""

    id: str
    arm: str
    spec: TrialSpec


def plan(config: StudyConfig) -> list[PlannedTrial]:
    """Every arm on every point of the grid, the arms of one point side by side. Raises BadInput.

    An axis of one arm's own multiplies the trials of that arm alone.
    """
    applies = {axis: arms_of(config, axis) for axis in config.grid}
    points = [dict(zip(config.grid, values, strict=True)) for values in product(*config.grid.values())]
    trials: list[PlannedTrial] = []
    arms_by_id: dict[str, str] = {}
    for point in points:
        shared = _settings(config, point)
        for arm in config.arms:
            own = {axis: value for axis, value in point.items() if arm in applies[axis]}
            trial = _trial(arm, {**shared, "method": _method(config, arm, own)})
            other = arms_by_id.setdefault(trial.id, trial.arm)
            if other != arm:
                raise BadInput(f"arms.{arm}: is the same as arms.{other}; change one or leave it out")
            trials.append(trial)
    return list({trial.id: trial for trial in trials}.values())


def _trial(arm: str, content: dict[str, Any]) -> PlannedTrial:
    try:
        spec = TrialSpec(**content)
    except ValidationError as error:
        message = first_message(error, "", TrialSpec)
        raise BadInput(message.replace("training.lr", "grid.lr").replace("seed:", "grid.seed:", 1)) from error
    return PlannedTrial(spec.id, arm, spec)


def _settings(config: StudyConfig, point: dict[str, Any]) -> dict[str, Any]:
    """The content of a spec at a point of the grid, but for its method."""
    content = {
        "task": dict(config.task),
        "model": dict(config.model),
        "training": {**config.training.model_dump(), "lr": point["lr"]},
        "failure": config.failure.model_dump(),
        "seed": point["seed"],
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
    method = config.arms[arm]
    for axis, value in point.items():
        if axis.startswith("arms."):
            _, path = split_axis(axis, list(config.arms))
            method = resolve_at("method", method, path, value, f"grid.arms.{arm}")
    return method


def encode_plan(trials: list[PlannedTrial]) -> bytes:
    """plan.json: a list of id, arm and spec, one trial a line."""
    entries = [{"id": t.id, "arm": t.arm, "spec": t.spec.model_dump(mode="json")} for t in trials]
    return ("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n").encode()


def check_folder(store: Store, config: StudyConfig, trials: list[PlannedTrial]) -> list[str]:
    """Raise BadInput, with the difference, where the folder holds what this study would change or drop.

    More seeds, learning rates or arms extend a folder. Returns a line for each file that says what the folder holds
    and is missing or damaged: with `write_folder` this study may put them in place again, since the ids of the trials
    that are there, hashes of their specs, then show that they are its own.
    """
    new = read_yaml(to_yaml(config))
    old, planned = _read_config(store), _read_plan(store)
    there = {name for name in store.names("trials") if TRIAL_ID.fullmatch(name)} | (planned or set())
    if old is not None and old["name"] != new["name"]:
        raise BadInput(f"results: {store.uri} holds the study '{old['name']}'; choose another folder")
    dropped = there - {trial.id for trial in trials}
    changed = [] if old is None else differences(old, new)
    if dropped or (there and planned is None and changed):
        reason = "plan.json is another study's and can be deleted, or the options have other defaults now"
        reason = reason if old else "study.yaml is missing or damaged"
        raise BadInput(
            f"results: {store.uri} holds trials that this config would change or drop "
            f"({'; '.join(changed) or reason}); choose another folder, or only extend the grid or the arms"
        )
    if not there:
        return []
    found = {"study.yaml": old, "plan.json": planned}
    return [
        f"{name} in {store.uri} was missing or damaged" for name, content in found.items() if content is None
    ]


def _read_config(store: Store) -> dict[str, Any] | None:
    """The config of a folder; None where there is none that can be read."""
    try:
        config = read_yaml(store.read("study.yaml").decode())
    except (FileNotFoundError, UnicodeDecodeError, BadYAML):
        return None
    return config if isinstance(config, dict) and isinstance(config.get("name"), str) else None


def _read_plan(store: Store) -> set[str] | None:
    """The ids of the planned trials of a folder; None where there is no plan or not as it was written."""
    try:
        entries = json.loads(store.read("plan.json"))
        ids = {entry["id"] for entry in entries}
        whole = all(entry["id"] == content_id(entry["spec"]) for entry in entries)
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return ids if whole else None


def write_folder(store: Store, config: StudyConfig, trials: list[PlannedTrial]) -> None:
    """Write study.yaml and plan.json: what is asked is on record before the first trial."""
    store.write("study.yaml", to_yaml(config).encode())
    store.write("plan.json", encode_plan(trials))


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """`key: old -> new` for each setting that two configs do not share; what only extends is left out."""
    if where.split(".")[0] in ("resources", "name"):
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
        return [f"{where}: without {', '.join(map(str, old))}"] if old else []
    return [] if old == new else [f"{where}: {old} -> {new}"]


def status(store: Store) -> tuple[dict[str, int], list[str]]:
    """Counts of planned, learned, failed, crashed and missing trials, and a line for each bad record and alarm."""
    planned = planned_ids(store)
    records, complaints = read_records(store, planned)
    complaints += alarms(records.values())
    return {"planned": len(planned), **count(records), "missing": len(planned) - len(records)}, complaints


def planned_ids(store: Store) -> list[str]:
    """The ids of the planned trials of a results folder; BadInput where there is no plan."""
    try:
        return [str(entry["id"]) for entry in json.loads(store.read("plan.json"))]
    except FileNotFoundError as error:
        raise BadInput(f"DIR: {store.uri} holds no plan.json; is it a results folder?") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"DIR: plan.json in {store.uri} is damaged ({error}); `study run` mends it") from error


def count(records: dict[str, Record]) -> dict[str, int]:
    """How many records have each outcome."""
    outcomes = [record.outcome for record in records.values()]
    return {outcome: outcomes.count(outcome) for outcome in ("learned", "failed", "crashed")}
