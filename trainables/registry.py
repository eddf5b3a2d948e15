"""Names that a study may use, and the options behind each name.

A task, model or method is a callable whose keyword-only parameters are its options: annotations give their
types and ranges (`Annotated[int, Field(ge=1)]`), defaults their values. A user's own is named
`package.module:Name` and is held to the same rule, so that built-in and foreign options are checked alike.
"""

import inspect
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

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
        "equiformer": "trainables.models.equiformer:Equiformer",
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


class BadInput(ValueError):
    """Something the user wrote cannot be used; the message names the key and the remedy in one line."""


def nearest(name: str, known: list[str]) -> str:
    """', did you mean ...?' or the list of what is known."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"


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


@lru_cache  # a model of pydantic takes milliseconds to make, and every trial asks for three
def options_model(factory: Callable[..., Any]) -> type[BaseModel]:
    """A pydantic model of the keyword-only parameters of a factory."""
    parameters = inspect.signature(factory).parameters.values()
    fields = {
        parameter.name: (
            Any if parameter.annotation is parameter.empty else parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    settings = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False, protected_namespaces=())
    return create_model("Options", __config__=settings, **fields)


def resolve(kind: str, description: dict[str, Any], where: str | None = None) -> dict[str, Any]:
    """The description `{name: ..., option: ...}` with every option filled in and checked.

    where: the key to name in messages, such as 'arms.triangle'; the kind itself if None.
    """
    where = where or kind
    options = {key: value for key, value in description.items() if key != "name"}
    name_key = f"{where}.method" if kind == "method" else f"{where}.name"
    model = options_model(locate(kind, description["name"], name_key))
    try:
        return {"name": description["name"], **model(**options).model_dump(mode="json")}
    except ValidationError as error:
        raise BadInput(first_message(error, where, model)) from error


def build(kind: str, description: dict[str, Any], *arguments: Any) -> Any:
    """Call the factory of a resolved description with its options after `arguments`."""
    factory = locate(kind, description["name"])
    options = {key: value for key, value in description.items() if key != "name"}
    checked = options_model(factory)(**options)
    return factory(*arguments, **{name: getattr(checked, name) for name in type(checked).model_fields})


def first_message(error: ValidationError, where: str, model: type[BaseModel]) -> str:
    """The first complaint of pydantic about a `model` in one line that names the key and, if it is unknown,
    the nearest."""
    complaint = error.errors()[0]
    key = ".".join(str(part) for part in (where, *complaint["loc"]) if part != "")
    if complaint["type"] == "extra_forbidden":
        *parents, unknown = complaint["loc"]
        return f"{key}: unknown key; {nearest(str(unknown), _known_keys(model, parents))}"
    if complaint["type"] == "missing":
        return f"{key}: missing"
    message = complaint["msg"].removeprefix("Value error, ")
    return f"{key}: {message} (got {complaint['input']!r})"


def _known_keys(model: Any, parents: Sequence[int | str]) -> list[str]:
    """The keys that are known below `parents`, walking from field to field of a model."""
    for part in parents:
        field = getattr(model, "model_fields", {}).get(part)
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
    return list(getattr(model, "model_fields", ()))
