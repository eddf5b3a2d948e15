"""A results folder and the study that uses it: which trials it has planned, and whether they are the study's own."""

from typing import Any

from study.config import StudyConfig, to_yaml
from study.refine.planned import PlannedTrial, planned_from
from trainables.errors import BadInput
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
from trainables.spec import LATER, TRIAL_ID

ALWAYS_WRITTEN = {name for name, info in StudyConfig.model_fields.items() if info.json_schema_extra != LATER}
"""The keys that every study.yaml has; the others are written only if they are set."""

REPAIR = "`study run` rewrites it"


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
    existing = {*_existing(store), *(() if planned is None else planned.ids)}
    if old is not None and old["name"] != new["name"]:
        raise BadInput(f"results: {store.uri} contains the study '{old['name']}'; choose another folder")
    dropped = existing - {trial.id for trial in trials}
    changed = [] if old is None else differences(old, new)
    if dropped or (existing and planned is None and changed):
        reason = "plan.json belongs to another study and can be deleted, or option defaults have changed"
        if planned is None:
            reason = "plan.json is missing or damaged, and they do not follow from config and records"
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


def _existing(store: Store) -> list[str]:
    """Ids of the trials that have files in the folder."""
    return [name for name in store.names("trials") if TRIAL_ID.fullmatch(name)]


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


def known_trials(store: Store, config: StudyConfig, grid: list[PlannedTrial]) -> list[PlannedTrial]:
    """The grid and the later rounds of a folder: those of its plan or, if that is lost, those its records lead to."""
    if config.refine is None:
        return grid
    if _intact_plan(store) is None:
        records, _ = read_records(store, _existing(store))
        return further_rounds(config, grid, records) if records else grid
    in_grid = {trial.id for trial in grid}
    return grid + [trial for trial in later_rounds(store, config) if trial.id not in in_grid]


def further_rounds(
    config: StudyConfig, trials: list[PlannedTrial], records: dict[str, Record]
) -> list[PlannedTrial]:
    """The trials, and those of the further rounds that follow from their records."""
    if config.refine is None:
        return trials
    from study.refine.rounds import with_rounds  # its statistics take seconds to import

    return with_rounds(config, trials, records)


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
