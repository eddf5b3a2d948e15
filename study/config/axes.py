"""The arms that an axis of the grid applies to, and its values, checked by the setting that it varies."""

from typing import Any

from pydantic import ValidationError

from study.config.blocks import SharedTraining, own_training
from study.config.study_config import StudyConfig, control_of, method_of
from study.grid import EVERY_ARM, STREAMS, get_option, set_option, split_axis
from trainables.errors import BadInput, first_message, nearest
from trainables.options import options_model
from trainables.registry import locate, resolve


def arms_of(config: StudyConfig, axis: str) -> list[str]:
    """The arms that an axis of the grid applies to: all, or those it names that have the option."""
    if not axis.startswith("arms."):
        return list(config.arms)
    where, path = split_axis(axis, list(config.arms))
    name = where.removeprefix("arms.")
    if name != EVERY_ARM:
        return [name]
    if path[0] == "training":
        return list(config.arms)
    having = [arm for arm, method in config.arms.items() if path[0] in _options_of(method)]
    if not having:
        known = sorted({option for method in config.arms.values() for option in _options_of(method)})
        raise BadInput(f"grid.{axis}: no arm has the option '{path[0]}'; {nearest(path[0], known)}")
    return having


def own_settings(config: StudyConfig, arm: str) -> set[str]:
    """The training settings of one arm alone, given as a setting or as an axis."""
    own = set(config.arms[arm].get("training", {}))
    for axis in config.grid:
        if axis.startswith("arms.") and arm in arms_of(config, axis):
            first, *rest = split_axis(axis, list(config.arms))[1]
            own |= {".".join(rest)} if first == "training" else set()
    return own


def _options_of(method: dict[str, Any]) -> list[str]:
    return list(options_model("method", locate("method", method["name"])).model_fields)


def checked_value(config: StudyConfig, axis: str, value: Any) -> Any:
    """A value of an axis, converted to the setting's type.

    Raises:
        BadInput: If the setting does not accept it.
    """
    checked = _settled(config, axis, value)
    if axis.startswith("arms.") and control_of(config) in arms_of(config, axis):
        raise BadInput(
            f"grid.{axis}: '{control_of(config)}' is the control, which all others are compared with; "
            "name another `control`, or make each value a separate arm"
        )
    return checked


def _settled(config: StudyConfig, axis: str, value: Any) -> Any:
    if axis in ("lr", "seed", *STREAMS):
        return value
    where, path = split_axis(axis, list(config.arms))
    arms = arms_of(config, axis)
    if where == "training":
        for arm in config.arms:
            if path[0] in own_settings(config, arm):
                raise BadInput(
                    f"grid.{axis}: the arm '{arm}' sets {axis} itself; remove it from the grid or from the arm"
                )
    if where.startswith("arms.") and path[0] == "training":
        return own_training({".".join(path[1:]): value}, f"grid.{where}.training")[path[1]]
    if where == "training":
        return get_option(_training_with(config, path, value), path, value)
    if where in ("task", "model"):
        return get_option(resolve_at(where, getattr(config, where), path, value), path, value)
    found = [
        get_option(
            resolve_at("method", method_of(config.arms[arm]), path, value, f"grid.arms.{arm}"), path, value
        )
        for arm in arms
    ]
    return found[0]


def refuse_foreign_defaults(config: StudyConfig, written: StudyConfig) -> None:
    """Raise BadInput if an axis of names would give one task or model the default of another.

    Args:
        config: The study with all options filled in; study.yaml has no others, so the axis starts from them.
        written: The study with the options that its author wrote.
    """
    for kind in ("task", "model"):
        for name in config.grid.get(f"{kind}.name", ()):
            planned, own = (
                resolve_at(kind, getattr(study, kind), ["name"], name) for study in (config, written)
            )
            for option, value in planned.items():
                if value != own.get(option) and f"{kind}.{option}" not in config.grid:
                    raise BadInput(
                        f"grid.{kind}.name: '{name}' would get {option}: {value}, the default of "
                        f"'{getattr(config, kind)['name']}'; write {kind}.{option}, or make a study of each"
                    )


def resolve_at(
    kind: str, description: dict[str, Any], path: list[str], value: Any, where: str | None = None
) -> dict[str, Any]:
    """A resolved description with the option at `path` set to a value of an axis, resolved again."""
    where = where or f"grid.{kind}"
    try:
        return resolve(kind, set_option(description, path, value), where)
    except BadInput as error:
        if path == ["name"]:
            raise BadInput(
                f"{where}.name: '{value}' does not accept the options of '{description['name']}' ({error}); "
                "make a study of each, and compare them with `study report A B --to DIR`"
            ) from error
        raise


def _training_with(config: StudyConfig, path: list[str], value: Any) -> dict[str, Any]:
    training = set_option(config.training.model_dump(), path, value)
    try:
        return SharedTraining(**training).model_dump()
    except ValidationError as error:
        raise BadInput(first_message(error, "grid.training", SharedTraining)) from error
