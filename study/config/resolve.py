"""From a user's config to a StudyConfig. Any mistake in the config raises BadInput."""

from typing import Any

from pydantic import ValidationError

from study.config.axes import checked_value, refuse_foreign_defaults
from study.config.blocks import own_training
from study.config.study_config import StudyConfig, method_of
from study.grid import DEFAULT_AXES, different, read_grid
from study.search.settings import check_search
from trainables.errors import BadInput, first_message, nearest
from trainables.registry import check_name, resolve
from trainables.results.renamed import with_present_names


def resolve_config(content: dict[str, Any]) -> StudyConfig:
    """The study in `content` (as read from YAML) with all defaults filled in.

    Raises:
        BadInput: If a key is unknown or missing, or a value is out of range.
    """
    written = outline(content)
    config = written.model_copy(
        update={
            "task": resolve("task", written.task),
            "model": resolve("model", written.model),
            "arms": {name: _resolved(name, arm) for name, arm in written.arms.items()},
        }
    )
    axes = {
        key: different(key, [checked_value(config, key, each) for each in axis])
        for key, axis in config.grid.items()
    }
    refuse_foreign_defaults(config, written)
    return config.model_copy(update={"grid": axes})


def outline(content: dict[str, Any]) -> StudyConfig:
    """The study before the options of its task, model and methods are resolved, which would load torch.

    Raises:
        BadInput: If anything other than those options is wrong.
    """
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
    check_search(content)
    content = with_present_names(content)
    settled = {
        **content,
        "task": _named(content["task"], "task"),
        "model": _named(content["model"], "model"),
        "arms": {str(name): _arm(str(name), arm) for name, arm in arms.items()},
        "grid": read_grid(
            {} if content.get("grid") is None else content["grid"],
            [str(name) for name in arms],
            DEFAULT_AXES if content.get("search") is None else {},
        ),
    }
    try:
        return StudyConfig(**settled)
    except ValidationError as error:
        raise BadInput(first_message(error, "", StudyConfig)) from error


def _named(description: Any, kind: str) -> dict[str, Any]:
    if isinstance(description, str):
        description = {"name": description}
    if not isinstance(description, dict) or not isinstance(description.get("name"), str):
        raise BadInput(f"{kind}.name: missing; write `{kind}: {{name: ...}}`")
    check_name(kind, description["name"])
    return {str(name): value for name, value in description.items()}


def _arm(name: str, arm: Any) -> dict[str, Any]:
    """An arm with its method under `name`, and `training` only if it has settings."""
    where = f"arms.{name}"
    if not isinstance(arm, dict) or not isinstance(arm.get("method"), str):
        raise BadInput(f"{where}.method: missing; write `{name}: {{method: strict}}`")
    check_name("method", arm["method"], f"{where}.method")
    options = {str(key): value for key, value in arm.items() if key not in ("method", "training")}
    own = {} if arm.get("training") is None else own_training(arm["training"], f"{where}.training")
    described = {"name": arm["method"], **options}
    return {**described, "training": own} if own else described


def _resolved(name: str, arm: dict[str, Any]) -> dict[str, Any]:
    resolved = resolve("method", method_of(arm), f"arms.{name}")
    return {**resolved, "training": arm["training"]} if "training" in arm else resolved
