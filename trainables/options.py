"""The options of a task, model or method: read from its signature, checked by pydantic."""

import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from trainables.errors import BadInput
from trainables.spec import Settings

GIVEN = {"task": "the data folder", "model": "the task's signature"}
"""The argument that a factory gets before its options."""
REMEDY = "annotate it as a number, text, a list, a mapping or a pydantic model, and convert it inside"


class Options(Settings):
    """The options of a factory; defaults are checked too."""

    model_config = ConfigDict(validate_default=True, protected_namespaces=())


@lru_cache  # a pydantic model takes milliseconds to create, and every trial needs three
def options_model(kind: str, factory: Callable[..., Any]) -> type[BaseModel]:
    """A pydantic model of the options of a factory: its parameters after the ones that are always passed.

    Args:
        kind: Task, model or method.
        factory: A function or class; a task is called with the data folder, a model with the task's signature, a
            method with nothing before the options.

    Raises:
        BadInput: If the factory cannot be called this way, or a config cannot set one of its parameters.
    """
    fields: dict[str, Any] = {}
    for parameter in _parameters(kind, factory):
        annotation = _annotation(kind, factory, parameter)
        default = ... if parameter.default is parameter.empty else parameter.default
        if annotation is Any and not _is_plain(default):
            raise BadInput(
                f"{kind}.{parameter.name}: its default {_brief(default)} cannot be written in a config; {REMEDY}"
            )
        fields[parameter.name] = (annotation, default)
        try:
            create_model("Option", __base__=Options, **{parameter.name: fields[parameter.name]})
        except Exception as error:  # pydantic raises various errors for types it cannot handle
            raise BadInput(
                f"{kind}.{parameter.name}: a config cannot set a parameter of this name and type "
                f"({_brief(annotation)}); {REMEDY}"
            ) from error
    return create_model("Options", __base__=Options, **fields)


def has_var_keywords(factory: Callable[..., Any]) -> bool:
    """Whether a factory has **keywords, whose names a config cannot check."""
    return any(
        parameter.kind is parameter.VAR_KEYWORD
        for parameter in inspect.signature(factory).parameters.values()
    )


def _parameters(kind: str, factory: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that are options."""
    given = 1 if kind in GIVEN else 0
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{kind}.name: {_brief(factory)} is not a function or class with a signature"
        ) from error
    by_place = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(by_place) < given and not takes_any:
        raise BadInput(f"{kind}.name: the first parameter of {factory.__name__} must take {GIVEN[kind]}")
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY] + by_place[given:]
    for parameter in options:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise BadInput(f"{kind}.{parameter.name}: is positional-only; make it a keyword parameter")
        if parameter.name == "name":
            raise BadInput(f"{kind}.name: no option of {factory.__name__} can be called `name`; rename it")
    order = {parameter.name: at for at, parameter in enumerate(parameters)}
    by_name = [p for p in options if p.kind is not p.POSITIONAL_ONLY]
    return sorted(by_name, key=lambda parameter: order[parameter.name])


def _annotation(kind: str, factory: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type of a parameter; Any if it has no annotation."""
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return Any
    # A string, as after `from __future__ import annotations`: evaluated in the module of the factory.
    function = factory.__init__ if inspect.isclass(factory) else factory
    names = getattr(inspect.unwrap(function), "__globals__", None) or vars(sys.modules[factory.__module__])
    while isinstance(annotation, str):
        try:
            annotation = eval(annotation, dict(names))
        except Exception as error:  # an annotation may be any expression
            raise BadInput(
                f"{kind}.{parameter.name}: its annotation {annotation!r} cannot be evaluated; {REMEDY}"
            ) from error
    return annotation


def _is_plain(value: Any) -> bool:
    """Whether YAML can represent a value."""
    match value:
        case None | bool() | int() | float() | str():
            return True
        case list() | tuple():
            return all(map(_is_plain, value))
        case dict():
            return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    return value is ...


def _brief(value: Any) -> str:
    text = getattr(value, "__qualname__", None) or repr(value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"
