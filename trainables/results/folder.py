"""study.yaml and plan.json, the requested study and trials: the only code that reads and writes them.

The caller decides how to handle damage: a run writes the file again, an analysis continues without it.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from trainables.results.canonical import trial_id
from trainables.results.renamed import with_present_names
from trainables.results.store import Store
from trainables.results.yaml_text import BadYAML, read_yaml

CONFIG = "study.yaml"
PLAN = "plan.json"
TRIAL_NAME = re.compile(r"[\w-][\w.-]*")
"""The pattern that an id must match before it becomes part of a path."""


class Damaged(ValueError):
    """A file exists but cannot be read; the message says why."""


@dataclass(frozen=True)
class Plan:
    """The planned trials of a folder.

    Attributes:
        entries: Mappings with `id` and, if they are as we wrote them, `arm` and `spec`; also `shared` for an
            arm with training settings that the other arms do not have, and `round` for a trial after the
            grid.
        num_skipped: Entries of the file that are not trials.
    """

    entries: list[dict[str, Any]]
    num_skipped: int = 0

    @property
    def ids(self) -> list[str]:
        """The ids of the trials, in the order of the plan."""
        return [entry["id"] for entry in self.entries]

    @property
    def is_intact(self) -> bool:
        """Whether every entry is a trial whose id is the hash of its spec."""
        try:
            return not self.num_skipped and all(
                entry["id"] == trial_id(entry["spec"]) for entry in self.entries
            )
        except (KeyError, ValueError, RecursionError):
            return False


def read_config(store: Store) -> dict[str, Any]:
    """The content of study.yaml.

    Raises:
        FileNotFoundError: If there is none.
        Damaged: If it is not a mapping with the name of a study.
    """
    try:
        content = read_yaml(store.read(CONFIG).decode())
    except (BadYAML, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise Damaged("it has no study name")
    return with_present_names(content)


def read_plan(store: Store) -> Plan:
    """The trials of plan.json.

    Raises:
        FileNotFoundError: If there is none.
        Damaged: If it is not a list.
    """
    try:
        content = json.loads(store.read(PLAN))
    except (ValueError, RecursionError) as error:
        raise Damaged(str(error)) from error
    if not isinstance(content, list):
        raise Damaged("it is not a list of trials")
    entries = [_with_present_names(entry) for entry in content if _is_trial(entry)]
    return Plan(entries, len(content) - len(entries))


def _with_present_names(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {key: with_present_names(entry[key]) for key in ("spec", "shared") if key in entry}


def _is_trial(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("id"), str)
        and TRIAL_NAME.fullmatch(entry["id"]) is not None
        and isinstance(entry.get("spec", {}), dict)
        and isinstance(entry.get("shared", {}), dict)
        and isinstance(entry.get("round", 1), int)
    )


def encode_plan(entries: list[dict[str, Any]]) -> bytes:
    """The content of plan.json: a list of trials, one per line."""
    return ("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n").encode()


def write_config(store: Store, text: str) -> None:
    """Write study.yaml; `text` is the resolved config as YAML."""
    store.write(CONFIG, text.encode())


def write_plan(store: Store, entries: list[dict[str, Any]]) -> None:
    """Write plan.json; the entries are as `Plan` describes them."""
    store.write(PLAN, encode_plan(entries))
