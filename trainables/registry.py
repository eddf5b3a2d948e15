"""Names that a study may use, and the options behind each name.

A task, model or method is a callable whose keyword parameters are its options: annotations give their types and
ranges (`Annotated[int, Field(ge=1)]`), defaults their values. A user's own callable is named
`package.module:Name` and follows the same rule, so its options are checked like those of built-in ones.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from trainables.errors import BadInput, brief, first_message, nearest
from trainables.options import has_var_keywords, options_model

REGISTRY: dict[str, dict[str, str]] = {
    "task": {
        "nbody": "trainables.tasks.nbody:nbody",
        "pointclouds": "trainables.tasks.pointclouds:pointclouds",
        "forces": "trainables.tasks.forces:forces",
        "mocap": "trainables.tasks.mocap:mocap",
    },
    "model": {
        "egnn": "trainables.models.egnn:EGNN",
        "segnn": "trainables.models.segnn:SEGNN",
        "se3_transformer": "trainables.models.se3_transformer:SE3Transformer",
        "equiformer": "trainables.models.equiformer_choice:equiformer",
        "vn_pointnet": "trainables.models.vn_pointnet:VNPointNet",
        "vn_dgcnn": "trainables.models.vn_dgcnn:VNDGCNN",
        "pointnet": "trainables.models.pointnet:PointNet",
    },
    "method": {
        "strict": "trainables.methods.strict:Strict",
        "relaxed": "trainables.methods.relaxed:Relaxed",
        "ace": "trainables.methods.ace:ACE",
        "unconstrained": "trainables.methods.unconstrained:Unconstrained",
    },
}

SCHEDULES = ("triangle", "linear", "cosine", "exponential", "step", "hold", "constant")
"""The names in `trainables.relaxation.schedules`, repeated here because importing that package loads torch."""


def check_name(kind: str, name: str, key: str | None = None) -> None:
    """Raise BadInput if a name is neither registered nor a `package.module:Name`; imports nothing.

    Args:
        key: What to call the name in messages; `kind.name` if None.
    """
    if name not in REGISTRY[kind] and ":" not in name:
        raise BadInput(
            f"{key or f'{kind}.name'}: unknown {kind} '{name}'; {nearest(name, list(REGISTRY[kind]))}"
        )


def locate(kind: str, name: str, key: str | None = None) -> Callable[..., Any]:
    """The callable behind a registered name or a `package.module:Name`.

    Args:
        key: What to call the name in messages; `kind.name` if None.

    Raises:
        BadInput: If there is none.
    """
    key = key or f"{kind}.name"
    check_name(kind, name, key)
    return imported(REGISTRY[kind].get(name, name), key, name)  # type: ignore[no-any-return]


def imported(path: str, key: str, name: str | None = None) -> Any:
    """The object that `package.module:Name` names.

    Args:
        key, name: What to call it in messages; `path` itself if there is no other name.

    Raises:
        BadInput: If it cannot be imported.
    """
    module_name, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # importing a user's module may raise anything
        raise BadInput(
            f"{key}: '{name or path}' cannot be imported: {brief(error)}{_hidden(module_name)}"
        ) from error


def _hidden(module_name: str) -> str:
    """A remedy if another module of the same name shadows one in the current folder."""
    top = module_name.partition(".")[0]
    found = getattr(sys.modules.get(top), "__file__", None) or ""
    here = [Path.cwd() / f"{top}.py", Path.cwd() / top]
    mine = next((path for path in here if path.exists() and not found.startswith(str(path))), None)
    if mine is None or not found:
        return ""
    return f"; {mine} is hidden by the module of the same name in {Path(found).parent}: rename yours"


def revision_of(factory: Callable[..., Any]) -> int:
    """The edition of a factory: its attribute `revision`, incremented when its computation changes.

    It is part of a trial's spec from 2 on, so that results of two editions never mix.
    """
    return getattr(factory, "revision", 1)


def resolve(kind: str, description: dict[str, Any], where: str | None = None) -> dict[str, Any]:
    """The description `{name: ..., option: ...}` with every option filled in and checked.

    Args:
        where: The key to name in messages, such as 'arms.triangle'; the kind itself if None.
    """
    where = where or kind
    name_key = f"{where}.method" if kind == "method" else f"{where}.name"
    factory = locate(kind, description["name"], name_key)
    try:
        model, revision = options_model(kind, factory), revision_of(factory)
    except BadInput as error:
        raise BadInput(str(error).replace(kind, where, 1)) from error
    options = _completed(_options(description, model), model, where)
    if "revision" not in options and description.get("revision", revision) != revision:
        raise BadInput(
            f"{where}.revision: '{description['name']}' is at revision {revision} here, not at "
            f"{description['revision']}; leave the key out, or use the version of this project that wrote it"
        )
    try:
        checked = model(**options)
    except ValidationError as error:
        message = first_message(error, where, model)
        if error.errors()[0]["type"] == "extra_forbidden" and has_var_keywords(factory):
            message += (
                f"; a config cannot check the **keywords of '{description['name']}': "
                "declare each as a named parameter"
            )
        raise BadInput(message) from error
    resolved = {"name": description["name"], **_plain(checked, where)}
    return resolved if revision == 1 else {**resolved, "revision": revision}


def build(kind: str, description: dict[str, Any], *arguments: Any) -> Any:
    """Call the factory of a resolved description with its options after `arguments`."""
    factory = locate(kind, description["name"])
    model = options_model(kind, factory)
    checked = model(**_options(description, model))
    return factory(*arguments, **{name: getattr(checked, name) for name in type(checked).model_fields})


def _options(description: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """All keys of a description except the name and, unless it is an option of the factory, the revision."""
    not_options = {"name"} if "revision" in model.model_fields else {"name", "revision"}
    return {key: value for key, value in description.items() if key not in not_options}


def _completed(options: dict[str, Any], model: type[BaseModel], where: str) -> dict[str, Any]:
    """The options, with each partly given block completed from its default."""
    defaults = {name: info.default for name, info in model.model_fields.items()}
    return {name: _filled_up(value, defaults.get(name), f"{where}.{name}") for name, value in options.items()}


def _filled_up(value: Any, default: Any, where: str) -> Any:
    if not isinstance(value, dict) or not isinstance(default, BaseModel):
        return value
    blocks = {name: getattr(default, name) for name in type(default).model_fields}
    if not value:  # could mean "as usual" or "nothing at all"
        raise BadInput(
            f"{where}: is empty; leave it out for its default, or set its options: {', '.join(blocks)}"
        )
    return blocks | {
        name: _filled_up(part, blocks.get(name), f"{where}.{name}") for name, part in value.items()
    }


def _plain(options: BaseModel, where: str) -> dict[str, Any]:
    """The options as JSON values."""
    try:
        return options.model_dump(mode="json")
    except PydanticSerializationError as error:
        for name in type(options).model_fields:
            try:
                options.model_dump(mode="json", include={name})
            except PydanticSerializationError:
                raise BadInput(
                    f"{where}.{name}: {getattr(options, name)!r} cannot be written in a config; make the option "
                    "a number, text, a list or a mapping"
                ) from error
        raise
