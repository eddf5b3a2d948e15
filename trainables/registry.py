"""Names that a study may use, and the options behind each name.

A task, model or method is a callable whose keyword-only parameters are its options: annotations give their
types and ranges (`Annotated[int, Field(ge=1)]`), defaults their values. A user's own is named
`package.module:Name` and is held to the same rule, so that built-in and foreign options are checked alike.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from trainables.errors import BadInput, first_message, nearest
from trainables.spec import Settings

REGISTRY: dict[str, dict[str, str]] = {
    "task": {
        "nbody": "trainables.tasks.nbody:nbody",
        "pointclouds": "trainables.tasks.pointclouds:pointclouds",
        "forces": "trainables.tasks.forces:forces",
    },
    "model": {
        "egnn": "trainables.models.egnn:EGNN",
        "segnn": "trainables.models.segnn:SEGNN",
        "se3_transformer": "trainables.models.se3_transformer:SE3Transformer",
        "equiformer": "trainables.models.equiformer:equiformer",
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


def locate(kind: str, name: str, key: str | None = None) -> Callable[..., Any]:
    """The callable behind a registered name or a `package.module:Name`; BadInput where there is none.

    key: what to call the name in messages; `kind.name` if None
    """
    key = key or f"{kind}.name"
    path = REGISTRY[kind].get(name)
    if path is None:
        if ":" not in name:
            raise BadInput(f"{key}: unknown {kind} '{name}'; {nearest(name, list(REGISTRY[kind]))}")
        path = name
    module_name, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"{key}: '{name}' cannot be imported: {error}") from error


class Options(Settings):
    """The options of a factory, defaults checked too."""

    model_config = ConfigDict(validate_default=True, protected_namespaces=())


@lru_cache  # a model of pydantic takes milliseconds to make, and every trial asks for three
def options_model(factory: Callable[..., Any]) -> type[BaseModel]:
    """A pydantic model of the keyword-only parameters of a factory."""
    parameters = inspect.signature(factory).parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (
            Any if parameter.annotation is parameter.empty else parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return create_model("Options", __base__=Options, **fields)


def revision_of(factory: Callable[..., Any]) -> int:
    """Which edition of a factory this is: its attribute `revision`, raised when what it computes changes.

    It is part of a trial's spec from 2 on, so that results of two editions never mix.
    """
    return getattr(factory, "revision", 1)


def resolve(kind: str, description: dict[str, Any], where: str | None = None) -> dict[str, Any]:
    """The description `{name: ..., option: ...}` with every option filled in and checked.

    where: the key to name in messages, such as 'arms.triangle'; the kind itself if None.
    """
    where = where or kind
    name_key = f"{where}.method" if kind == "method" else f"{where}.name"
    factory = locate(kind, description["name"], name_key)
    model, revision = options_model(factory), revision_of(factory)
    options = _options(description, model)
    if "revision" not in options and description.get("revision", revision) != revision:
        raise BadInput(
            f"{where}.revision: '{description['name']}' is at revision {revision} here, not at "
            f"{description['revision']}; leave the key out, or use the version of this project that wrote it"
        )
    try:
        resolved = {"name": description["name"], **model(**options).model_dump(mode="json")}
    except ValidationError as error:
        raise BadInput(first_message(error, where, model)) from error
    return resolved if revision == 1 else {**resolved, "revision": revision}


def build(kind: str, description: dict[str, Any], *arguments: Any) -> Any:
    """Call the factory of a resolved description with its options after `arguments`."""
    factory = locate(kind, description["name"])
    model = options_model(factory)
    checked = model(**_options(description, model))
    return factory(*arguments, **{name: getattr(checked, name) for name in type(checked).model_fields})


def _options(description: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """What a description says beside the name and, unless the factory has an option of that name, the revision."""
    not_options = {"name"} if "revision" in model.model_fields else {"name", "revision"}
    return {key: value for key, value in description.items() if key not in not_options}
