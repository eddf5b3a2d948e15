"""Options of our own tasks and models that once had another name.

Configs, plans and records may contain either name. A trial's id is the hash of its spec under the first
names, so results from before a renaming keep their ids and can be extended.
"""

from typing import Any

FIRST_NAMES = {"task": {"num_neighbors": "neighbors"}, "model": {"num_neighbors": "neighbours"}}
PRESENT_NAMES = {kind: {first: now for now, first in names.items()} for kind, names in FIRST_NAMES.items()}


def with_first_names(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with the option names that ids are made of."""
    return _renamed(spec, FIRST_NAMES)


def with_present_names(content: dict[str, Any]) -> dict[str, Any]:
    """The spec or config with today's option names; the axes of a config's grid are renamed too."""
    renamed = _renamed(content, PRESENT_NAMES)
    if isinstance(content.get("grid"), dict):
        renamed["grid"] = {_axis(key, content): values for key, values in content["grid"].items()}
    return renamed


def _renamed(content: dict[str, Any], names: dict[str, dict[str, str]]) -> dict[str, Any]:
    blocks = {kind: content[kind] for kind in names if isinstance(content.get(kind), dict)}
    return content | {
        kind: _with_names(block, names[kind]) for kind, block in blocks.items() if _is_ours(block)
    }


def _with_names(block: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An option given under both names keeps both, so that the check of options rejects the former one."""
    return {
        option if names.get(option) in block else names.get(option, option): value
        for option, value in block.items()
    }


def _axis(key: Any, content: dict[str, Any]) -> Any:
    """The present name of an axis; one given under both names keeps both, as in `_with_names`."""
    kind, _, option = str(key).partition(".")
    names = PRESENT_NAMES.get(kind, {})
    if option not in names or not _is_ours(content.get(kind)):
        return key
    present = f"{kind}.{names[option]}"
    return key if present in content["grid"] else present


def _is_ours(description: Any) -> bool:
    """Whether a task or model is this project's and not a user's `package.module:Name`."""
    name = description.get("name") if isinstance(description, dict) else description
    return isinstance(name, str) and ":" not in name
