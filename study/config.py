"""StudyConfig: what is asked. From a preset or a YAML file, strict: an unknown key is an error.

Everything a user can get wrong raises BadInput with one line that names the key and the remedy.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator

from trainables.errors import BadInput, first_message, nearest
from trainables.registry import resolve
from trainables.spec import Failure, Settings, Training

PRESETS = Path(__file__).parent / "presets"

SharedTraining = create_model(
    "SharedTraining",
    __base__=Settings,
    **{name: (info.annotation, info) for name, info in Training.model_fields.items() if name != "lr"},
)
"""The training settings that all trials share: all but the learning rate, which the grid varies."""


class LogGrid(Settings):
    """`points` values from log[0] to log[1], evenly spaced in the logarithm, ends included."""

    log: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    points: Annotated[int, Field(ge=2)]

    def values(self) -> list[float]:
        # Four digits: the same rate written in two grids gives the same trial.
        return [float(f"{value:.4g}") for value in np.geomspace(*self.log, self.points)]


class Resources(Settings):
    """What one trial gets, and how long it may take. None of it changes a result.

    cpus, gpus: per trial, fractions of a GPU share it; concurrent: most trials at once
    processes: that share each batch of a trial; each has a GPU of its own where `gpus` is not 0
    memory_gb: a worker that grows beyond it is stopped; timeout_minutes: a trial that takes longer is stopped
    """

    cpus: Annotated[float, Field(gt=0)] = 1
    gpus: Annotated[float, Field(ge=0)] = 0
    processes: Annotated[int, Field(ge=1)] = 1
    concurrent: Annotated[int, Field(ge=1)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    timeout_minutes: Annotated[float, Field(gt=0)] | None = None

    @field_validator("processes")
    @classmethod
    def _have_a_gpu_each(cls, processes: int, info: ValidationInfo) -> int:
        if processes > 1 and info.data.get("gpus") not in (0, processes):
            raise ValueError(f"each needs a whole GPU; set resources.gpus to {processes}, or to 0 for CPUs")
        return processes

    def limits(self) -> dict[str, float | None]:
        """Seconds and bytes of one trial, as trainables.worker.watchdog takes them."""
        return {
            "seconds": self.timeout_minutes and 60 * self.timeout_minutes,
            "memory_bytes": self.memory_gb and 1e9 * self.memory_gb,
        }


class StudyConfig(Settings):
    """A study: arms compared on one grid.

    arms: name -> resolved method description; grid: lr, seed, and dotted keys such as `training.optimizer`
    """

    name: str
    task: dict[str, Any]
    model: dict[str, Any]
    training: SharedTraining = SharedTraining()  # type: ignore[valid-type]
    arms: dict[str, dict[str, Any]]
    grid: dict[str, list[Any]]
    failure: Failure = Failure()
    resources: Resources = Resources()

    @field_validator("name")
    @classmethod
    def _name_fits_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[^/\\\x00-\x1f]{1,100}", name) or name.strip(". ") == "":
            raise ValueError("must be 1 to 100 characters that fit a folder's name")
        return name


def load_config(source: str, overrides: list[str] | None = None) -> StudyConfig:
    """The resolved study behind a preset's name or a YAML file, with `key.path=value` overrides applied.

    Raises BadInput.
    """
    content = _read(source)
    for override in overrides or []:
        _apply(content, override)
    return resolve_config(content)


def presets() -> list[str]:
    """Names of the studies that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def resolve_config(content: dict[str, Any]) -> StudyConfig:
    """The study in `content` (as read from YAML) with all defaults filled in. Raises BadInput."""
    known = list(StudyConfig.model_fields)
    for key in content:
        if key not in known:
            raise BadInput(f"{key}: unknown key; {nearest(str(key), known)}")
    for key in ("name", "task", "model", "arms"):
        if content.get(key) is None:
            raise BadInput(f"{key}: missing")
    arms = content["arms"]
    if not isinstance(arms, dict) or not arms:
        raise BadInput("arms: must name at least one arm, such as `strict: {method: strict}`")
    settled = {
        **content,
        "task": resolve("task", _named(content["task"], "task")),
        "model": resolve("model", _named(content["model"], "model")),
        "arms": {str(name): _arm(str(name), arm) for name, arm in arms.items()},
        "grid": _grid(content.get("grid") or {}),
    }
    try:
        return StudyConfig(**settled)
    except ValidationError as error:
        raise BadInput(first_message(error, "", StudyConfig)) from error


def _read(source: str) -> dict[str, Any]:
    path = PRESETS / f"{source}.yaml" if re.fullmatch(r"[\w.-]+", source) else Path(source)
    if not path.is_file():
        path = Path(source)
    if not path.is_file():
        raise BadInput(f"CONFIG: no preset and no file '{source}'; {nearest(source, presets())}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        line = " ".join(str(error).split())
        raise BadInput(f"CONFIG: {source} is not readable YAML: {line}") from error
    if not isinstance(content, dict):
        raise BadInput(
            f"CONFIG: {source} must be a mapping with the keys {', '.join(StudyConfig.model_fields)}"
        )
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {override}: write key.path=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {override}: the value is not YAML") from error
    *parents, last = key.split(".") if not key.startswith("grid.") else ["grid", key[5:]]
    for parent in parents:
        if not isinstance(content.setdefault(parent, {}), dict):
            raise BadInput(f"--set {override}: {parent} holds a value, not keys")
        content = content[parent]
    content[last] = value


def _named(description: Any, key: str) -> dict[str, Any]:
    if isinstance(description, str):
        description = {"name": description}
    if not isinstance(description, dict) or not isinstance(description.get("name"), str):
        raise BadInput(f"{key}.name: missing; write `{key}: {{name: ...}}`")
    return {str(name): value for name, value in description.items()}


def _arm(name: str, arm: Any) -> dict[str, Any]:
    where = f"arms.{name}"
    if not isinstance(arm, dict) or not isinstance(arm.get("method"), str):
        raise BadInput(f"{where}.method: missing; write `{name}: {{method: strict}}`")
    options = {str(key): value for key, value in arm.items() if key != "method"}
    return resolve("method", {"name": arm["method"], **options}, where)


def _grid(grid: Any) -> dict[str, list[Any]]:
    if not isinstance(grid, dict):
        raise BadInput("grid: must be a mapping such as `{lr: [1.0e-3], seed: 5}`")
    axes = {str(key): _axis(str(key), value) for key, value in {"lr": [1e-3], "seed": 5, **grid}.items()}
    for key, values in axes.items():
        if len({repr(value) for value in values}) < len(values):
            raise BadInput(f"grid.{key}: holds a value twice")
        if key not in ("lr", "seed") and key.split(".")[0] not in ("task", "model", "training"):
            raise BadInput(f"grid.{key}: unknown key; use lr, seed or a key below task, model or training")
    return axes


def _axis(key: str, value: Any) -> list[Any]:
    if key == "seed" and isinstance(value, int) and not isinstance(value, bool):
        value = list(range(value))
    if isinstance(value, dict):
        try:
            value = LogGrid(**value).values()
        except (ValidationError, TypeError) as error:
            remedy = "write {log: [1.0e-4, 1.0e-1], points: 7} or a list of values"
            raise BadInput(f"grid.{key}: {remedy}") from error
    values = value if isinstance(value, list) else [value]
    if not values:
        raise BadInput(f"grid.{key}: is empty; give at least one value")
    return values


def to_yaml(config: StudyConfig) -> str:
    """The resolved config as YAML; `load_config` of it gives the same plan."""
    content = config.model_dump(mode="json")
    content["arms"] = {
        name: {"method": arm["name"], **{key: value for key, value in arm.items() if key != "name"}}
        for name, arm in content["arms"].items()
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
