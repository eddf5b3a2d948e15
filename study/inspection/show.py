"""One trial of a results folder, as text."""

from dataclasses import asdict
from difflib import SequenceMatcher
from typing import Any

import yaml

from trainables.errors import BadInput
from trainables.results.folder import Damaged, read_plan
from trainables.results.record import log_path, read_records
from trainables.results.store import Store

LEFT_OUT = ("spec", "versions", "history_sha256", "test_errors_sha256")


def show(store: Store, trial: str) -> str:
    """The outcome, numbers and settings of a trial, one per line.

    Args:
        store: The results folder.
        trial: The trial's id, or enough of its beginning to be unique.

    Raises:
        BadInput: If the folder is not a results folder, or has no such trial; the message names the nearest.
    """
    name, entry = find_trial(store, trial)
    records, complaints = read_records(store, [name])
    lines = [f"trial {name}, arm {entry.get('arm', 'unnamed')}", *complaints]
    if name in records:
        known = {
            key: value
            for key, value in asdict(records[name]).items()
            if key not in LEFT_OUT and value not in (None, "", {})
        }
        lines += [f"{key:20} {value}" for key, value in known.items() if key != "id"]
    else:
        lines.append("has no result yet")
    settings = yaml.safe_dump(entry.get("spec", {}), sort_keys=False, allow_unicode=True)
    return "\n".join([*lines, "", settings.rstrip()])


def trial_log(store: Store, trial: str) -> str:
    """The output of a trial, with its traceback if it crashed; BadInput as for `show`, and if there is no log."""
    name, _ = find_trial(store, trial)
    try:
        return store.read(log_path(name)).decode(errors="replace")
    except FileNotFoundError as error:
        raise BadInput(
            f"--trial: {name} has no log: it printed nothing, or has not ended; `study show` shows its outcome"
        ) from error


def find_trial(store: Store, trial: str) -> tuple[str, dict[str, Any]]:
    """The id of a trial and its entry in the plan, from the beginning of its id; BadInput as for `show`."""
    try:
        planned = {entry["id"]: entry for entry in read_plan(store).entries}
    except (FileNotFoundError, Damaged) as error:
        raise BadInput(f"DIR: {store.uri} contains no readable plan.json; is it a results folder?") from error
    fitting = [name for name in planned if name.startswith(trial)] if trial else []
    if len(fitting) > 1:
        raise BadInput(f"TRIAL: {len(fitting)} trials begin with '{trial}'; give more characters of the id")
    if not fitting:
        raise BadInput(f"TRIAL: no trial '{trial}' in {store.uri}; {_nearest_id(trial, list(planned))}")
    return fitting[0], planned[fitting[0]]


def _nearest_id(trial: str, ids: list[str]) -> str:
    """A hint: the most similar id, and where all ids are listed."""
    if not ids:
        return "the plan is empty"
    near = max(ids, key=lambda name: SequenceMatcher(None, trial, name).ratio())
    return f"did you mean '{near}'? `report/tables/trials.csv` lists all"
