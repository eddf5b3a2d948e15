"""Every option that a config may set, with type, range, default and meaning, read from the code that checks it."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from study.config import Equivalence, Published, Refine, Resources, StudyConfig
from study.search.settings import Search
from trainables.errors import BadInput, nearest
from trainables.options import options_model
from trainables.registry import REGISTRY, locate
from trainables.spec import Failure, Training

BLOCKS: dict[str, type[BaseModel]] = {
    "study": StudyConfig,
    "training": Training,
    "failure": Failure,
    "resources": Resources,
    "refine": Refine,
    "search": Search,
    "equivalence": Equivalence,
    "published": Published,
}
"""Blocks of a config that are the same for every task, model and method."""
EVERYWHERE = {
    "train": "Number of training samples.",
    "val": "Number of validation samples.",
    "test": "Number of test samples.",
    "seed": "Seed for generating or drawing the samples.",
    "bodies": "Number of bodies per sample.",
    "law": "The force between two bodies.",
    "label_smoothing": "Share of each label that is spread over all classes.",
    "energy_weight": "Weight of the energy error in the training loss.",
    "force_weight": "Weight of the force error in the training loss.",
    "degree": "Highest degree of the hidden features.",
    "layers": "Number of message layers.",
    "heads": "Number of attention heads.",
    "dropout": "Share of features dropped during training.",
    "weight": "Weight of the penalty in the training loss.",
    "optimizer": "adam, adamw, sgd with momentum, or muon.",
    "batch_size": "Samples per step.",
    "epochs": "Passes over the training samples.",
    "weight_decay": "Weight decay, applied as the optimizer defines it.",
    "momentum": "Momentum for sgd and muon.",
}
"""Meanings of options that are the same everywhere, for docstrings that do not give one."""
SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True)
class Option:
    """An option as readers see it, each part as text."""

    name: str
    type: str
    range: str
    default: str
    meaning: str


def kinds() -> list[str]:
    """The kinds that `study list KIND` accepts."""
    return [*REGISTRY, *BLOCKS]


def names(kind: str) -> list[str]:
    """The names of a kind; a block of the config has one name, its own.

    Raises:
        BadInput: If there is no such kind.
    """
    kind = kind.removesuffix("s") if kind.removesuffix("s") in REGISTRY else kind
    if kind not in kinds():
        raise BadInput(f"KIND: unknown kind '{kind}'; {nearest(kind, [*kinds(), 'schema'])}")
    return list(REGISTRY[kind]) if kind in REGISTRY else [kind]


def options(kind: str, name: str) -> tuple[str, list[Option]]:
    """The first sentence on a task, model or method (or a block of the config), and its options.

    Raises:
        BadInput: If there is no such kind or name.
    """
    kind = kind.removesuffix("s") if kind.removesuffix("s") in REGISTRY else kind
    names(kind)
    if kind == "study":
        return _first(StudyConfig.__doc__), list(_of_model(StudyConfig, StudyConfig.__doc__, blocks=False))
    if kind in BLOCKS:
        return _first(BLOCKS[kind].__doc__), list(_of_model(BLOCKS[kind], BLOCKS[kind].__doc__))
    factory = locate(kind, name, "NAME")
    started = vars(factory).get("__init__") if inspect.isclass(factory) else None
    text = f"{inspect.getdoc(factory) or ''}\n\n{inspect.getdoc(started) or ''}"
    return _first(text), list(_of_model(options_model(kind, factory), text))


def _of_model(
    model: type[BaseModel], text: str | None, prefix: str = "", blocks: bool = True, given: Any = None
) -> Iterator[Option]:
    """The options of a pydantic model: nested ones below their own key or, without `blocks`, as one entry each.

    Args:
        given: An instance whose values are the defaults; those of the model if None.
    """
    meanings = _meanings(text or "")
    for name, info in model.model_fields.items():
        inner = _inner_model(info.annotation)
        if inner is not None and blocks:
            held = info.default if isinstance(info.default, inner) else None
            yield from _of_model(inner, inner.__doc__, f"{prefix}{name}.", given=held)
            continue
        meaning = _resolved(info.description or meanings.get(name) or EVERYWHERE.get(name, ""), name)
        if not blocks and (inner is not None or get_origin(info.annotation) is dict):
            default = "null" if info.default in (None, ()) else "see block"
            yield Option(name, "block", "", "required" if info.is_required() else default, meaning)
            continue
        yield Option(
            f"{prefix}{name}",
            _type(info.annotation),
            _range(info),
            _default(info, getattr(given, name, None)),
            meaning,
        )


def _resolved(meaning: str, name: str) -> str:
    """The meaning, taken from the docstring of another function if it says `As in package.function.`"""
    found = re.fullmatch(r"As in ([\w.]+)\.(\w+)\.", meaning)
    if found is None:
        return meaning
    return _meanings(inspect.getdoc(getattr(import_module(found[1]), found[2])) or "")[name]


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    found = [kind for kind in (annotation, *get_args(annotation)) if inspect.isclass(kind)]
    return next((kind for kind in found if issubclass(kind, BaseModel)), None)


def _type(annotation: Any) -> str:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "block"
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in (Union, UnionType):
        return " or ".join("null" if part is NoneType else _type(part) for part in parts)
    if parts:
        held = ", ".join(_type(part) for part in parts if part is not ...)
        return f"{getattr(origin, '__name__', origin)} of {held}"
    return {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}.get(
        getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation))
    )


def _range(info: FieldInfo) -> str:
    """The bounds of a number, including those of `X | None`."""
    inside = [mark for part in get_args(info.annotation) for mark in getattr(part, "__metadata__", ())]
    marks = [*info.metadata, *(each for mark in inside for each in getattr(mark, "metadata", [mark]))]
    bounds = {
        key: getattr(mark, key) for mark in marks for key in SIGNS if getattr(mark, key, None) is not None
    }
    return ", ".join(f"{SIGNS[key]} {value:g}" for key, value in bounds.items())


def _default(info: FieldInfo, given: Any = None) -> str:
    if info.is_required() and given is None:
        return "required"
    value = info.get_default(call_default_factory=True) if given is None else given
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _first(text: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _meanings(text: str) -> dict[str, str]:
    """Descriptions by name: `name: ...` or `name, other: ...` in a docstring, at a line's start or after ';'."""
    found: dict[str, str] = {}
    heads = re.compile(r"(?:^|(?<=; ))[ ]*(\w+(?:, \w+)*): ", re.MULTILINE)
    clean = inspect.cleandoc(text)
    places = list(heads.finditer(clean))
    ends = [*(place.start() for place in places[1:]), len(clean)]
    for place, end in zip(places, ends[: len(places)], strict=True):
        meaning = clean[place.end() : end].split("\n\n")[0]
        meaning = " ".join(meaning.split()).rstrip("; ")
        for name in place[1].split(", "):
            found.setdefault(name, meaning)
    return found


def markdown() -> str:
    """The reference of all options, as in study/README.md."""
    lines = []
    for kind in kinds():
        for name in names(kind):
            about, found = options(kind, name)
            heading = kind if kind == name else f"{kind} {name}"
            lines += [f"### {heading}", "", about, ""]
            if found:
                lines += ["| option | type | range | default | meaning |", "|---|---|---|---|---|"]
                lines += [
                    f"| {' | '.join(_cell(part) for part in vars(option).values())} |" for option in found
                ]
            else:
                lines.append("No options.")
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def plain(kind: str, name: str, width: int) -> str:
    """The options of one name for a terminal: a block of lines for each, no line longer than `width`."""
    import textwrap

    about, found = options(kind, name)
    lines = textwrap.wrap(about, width)
    for option in found:
        head = f"{option.name}: {option.type}"
        head += f", {option.range}" if option.range else ""
        head += ", required" if option.default == "required" else f" [default: {option.default}]"
        lines += ["", *textwrap.wrap(head, width, subsequent_indent="    ")]
        lines += textwrap.wrap(option.meaning, width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def rewrite_readme() -> None:
    """Rewrite the reference in study/README.md, as `python -m study.inspection.reference` does."""
    path = Path(__file__).parents[1] / "README.md"
    head, _, _ = path.read_text().partition("### ")
    path.write_text(head + markdown())


if __name__ == "__main__":
    rewrite_readme()
