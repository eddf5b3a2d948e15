"""Reading a study from a preset or a YAML file, with the changes of the command line."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.config.resolve import resolve_config
from study.config.study_config import StudyConfig
from study.grid import LogGrid
from trainables.errors import BadInput, nearest
from trainables.results.yaml_text import BadYAML, read_yaml

PRESETS = Path(__file__).parents[1] / "presets"


def load_config(source: str, overrides: Sequence[str] = ()) -> StudyConfig:
    """The resolved study behind a preset's name or a YAML file, with `key.path=value` overrides applied.

    Raises:
        BadInput: If there is no such preset or file, or a setting is wrong.
    """
    return resolve_config(read_content(source, overrides))


def read_content(source: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The content of a preset or a YAML file, with `key.path=value` overrides applied.

    Raises:
        BadInput: If there is no such preset or file, it is not a YAML mapping, or a change cannot be applied.
    """
    return override(_read(source), overrides)


def override(content: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The content with `key.path=value` changes applied in place.

    Raises:
        BadInput: If a change is not `key.path=value`, or its path leads through a plain value.
    """
    for change in changes:
        _apply(content, change)
    return content


def presets() -> list[str]:
    """Names of the studies that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _read(source: str) -> dict[str, Any]:
    path = PRESETS / f"{source}.yaml" if re.fullmatch(r"[\w.-]+", source) else Path(source)
    if not path.is_file():
        path = Path(source)
    if not path.is_file():
        raise BadInput(f"CONFIG: no preset and no file '{source}'; {nearest(source, presets())}")
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except BadYAML as error:
        raise BadInput(f"CONFIG: {source}, {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"CONFIG: {source} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadInput(
            f"CONFIG: {source} must be a mapping with the keys {', '.join(StudyConfig.model_fields)}"
        )
    return content


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {change}: write key.path=value")
    try:
        value = read_yaml(text)
    except BadYAML as error:
        raise BadInput(f"--set {change}: {error}") from error
    block, in_grid = content, False
    while (part := _axis(block, key) if in_grid else _first_part(block, key)) != key:
        if not isinstance(block.setdefault(part, {}), dict):
            raise BadInput(f"--set {change}: {part} is a value, not a block")
        in_grid = block is content and part == "grid"
        block, key = block[part], key[len(part) + 1 :]
    block[key] = value


def _first_part(content: dict[str, Any], key: str) -> str:
    """The longest prefix of a dotted key that is a key of the content: names of arms and axes may contain dots."""
    if content is not None and key in content:
        return key
    known = [part for part in content if key.startswith(f"{part}.")]
    return max(known, key=len, default=key.partition(".")[0])


def _axis(grid: dict[str, Any], key: str) -> str:
    """The axis that a dotted key below `grid` names: all of it, except for `log` and `points` of an existing axis."""
    axis, _, last = key.rpartition(".")
    return axis if last in LogGrid.model_fields and isinstance(grid.get(axis), dict) else key
