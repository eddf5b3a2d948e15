"""The axes of a study: which setting each varies, over which values, for which arms."""

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from trainables.errors import BadInput, nearest
from trainables.spec import Positive, Settings

STREAMS = ("seed.init", "seed.order")
"""Random numbers that can have separate seeds: initial weights, and the order of the samples."""

MOST_SEEDS = 1_000
MOST_TRIALS = 1_000_000
EVERY_ARM = "*"
SAME_FOR_ALL = {
    "failure": "the rules are the same for all trials of a study",
    "resources": "it changes no result",
    "name": "it belongs to the whole study",
    "grid": "a grid cannot vary itself",
}
"""Keys that cannot be an axis, and why."""


class LogGrid(Settings):
    """`points` values from log[0] to log[1], evenly spaced in the logarithm, ends included."""

    log: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    points: Annotated[int, Field(ge=2, le=1000)]

    def values(self) -> list[float]:
        # Four digits: the same learning rate in two grids gives the same trial.
        return [float(f"{value:.4g}") for value in np.geomspace(*self.log, self.points)]


DEFAULT_AXES = {"lr": [1e-3], "seed": 5}
"""Axes that every grid has, with their default values."""


def read_grid(grid: Any, arms: Sequence[str], usual: dict[str, Any] = DEFAULT_AXES) -> dict[str, list[Any]]:
    """The axes with their values spelled out.

    Args:
        usual: Axes that every grid has, with their default values; none in a search, which draws learning rate and
            seed.

    Raises:
        BadInput: If an axis is unknown, empty or not a list of values, or two axes set the same option.
    """
    if not isinstance(grid, dict):
        raise BadInput("grid: must be a mapping such as `{lr: [1.0e-3], seed: 5}`")
    axes = {key: _values(key, value) for key, value in {**usual, **grid}.items()}
    _refuse_overlaps([key for key in axes if key not in ("lr", "seed", *STREAMS)], arms)
    count = prod(map(len, axes.values())) * len(arms)
    if count > MOST_TRIALS:
        raise BadInput(f"grid: gives {count:,} trials, more than {MOST_TRIALS:,}; use fewer values or axes")
    return axes


def _refuse_overlaps(keys: Sequence[str], arms: Sequence[str]) -> None:
    """Raise BadInput if an axis sets an option, or part of one, that another sets too."""
    for (one, (block, path)), (other, (other_block, other_path)) in combinations(
        [(key, split_axis(key, arms)) for key in keys], 2
    ):
        of_arms = block.startswith("arms.") and other_block.startswith("arms.")
        shared = block == other_block or (of_arms and f"arms.{EVERY_ARM}" in (block, other_block))
        if shared and all(part == other_part for part, other_part in zip(path, other_path, strict=False)):
            raise BadInput(f"grid.{other}: grid.{one} sets the same option; remove one of them")


def split_axis(key: str, arms: Sequence[str]) -> tuple[str, list[str]]:
    """The block that an axis sets (`task`, `model`, `training` or `arms.NAME`) and the path of the option in it.

    Raises:
        BadInput: If the key names no setting, or one that is the same for all trials.
    """
    block, _, rest = key.partition(".")
    if block in SAME_FOR_ALL:
        raise BadInput(f"grid.{key}: {block} cannot be an axis: {SAME_FOR_ALL[block]}")
    if key == "training.lr":
        raise BadInput("grid.training.lr: the learning rate is the axis `lr`; write grid.lr")
    if block in ("task", "model", "training") and rest:
        return block, rest.split(".")
    if block == "arms":
        # A name may contain dots.
        names = [name for name in (EVERY_ARM, *arms) if rest == name or rest.startswith(f"{name}.")]
        if not names:
            raise BadInput(f"grid.{key}: no such arm; {nearest(rest.partition('.')[0], [*arms])}")
        name = max(names, key=len)
        option = rest[len(name) + 1 :]
        if option in ("", "method", "name"):
            raise BadInput(
                f"grid.{key}: name an option of the arm, such as arms.{name}.strict_phase; "
                "a method needs its own arm"
            )
        return f"arms.{name}", option.split(".")
    raise BadInput(
        f"grid.{key}: unknown key; use lr, seed, {', '.join(STREAMS)} or a key under task, model, training, "
        "arms.NAME or arms.*"
    )


def set_option(options: Any, path: list[str], value: Any) -> dict[str, Any]:
    """A copy of the options with the one at `path` set, whether or not it was given."""
    options = options if isinstance(options, dict) else {}
    first, *rest = path
    return {**options, first: set_option(options.get(first), rest, value) if rest else value}


def get_option(options: Any, path: list[str], otherwise: Any) -> Any:
    """The option at `path`, or `otherwise` if it is not given."""
    for part in path:
        if not isinstance(options, dict) or part not in options:
            return otherwise
        options = options[part]
    return options


def different(key: str, values: list[Any]) -> list[Any]:
    """The values of an axis, checked for duplicates.

    Raises:
        BadInput: If a value occurs twice.
    """
    for at, value in enumerate(values):
        if any(type(value) is type(other) and value == other for other in values[:at]):
            raise BadInput(f"grid.{key}: contains a value twice: {value}")
    return values


def _values(key: str, value: Any) -> list[Any]:
    if isinstance(value, dict):
        try:
            value = LogGrid(**value).values()
        except (ValidationError, TypeError) as error:
            remedy = "write {log: [1.0e-4, 1.0e-1], points: 7}, with up to 1,000 points, or a list of values"
            raise BadInput(f"grid.{key}: {remedy}") from error
    if key in ("seed", *STREAMS) and not isinstance(value, list):
        value = _seeds(key, value)
    values = value if isinstance(value, list) else [value]
    if not values:
        raise BadInput(f"grid.{key}: is empty; give at least one value")
    match key:
        case "lr":
            values = [_as(key, Positive, each) for each in values]
        case "seed" | "seed.init" | "seed.order":
            values = [_as(key, Annotated[int, Field(ge=0)], each) for each in values]
    return different(key, values)


def _seeds(key: str, count: Any) -> list[int]:
    whole = _as(key, int, count)
    if whole > MOST_SEEDS:
        raise BadInput(f"grid.{key}: {whole} means {whole:,} seeds; write [{whole}] for this one seed")
    if whole < 1:
        raise BadInput(
            f"grid.{key}: {whole} means {whole} seeds; N means the first N seeds, from 0; [N] means the one seed N"
        )
    return list(range(whole))


def _as(key: str, kind: Any, value: Any) -> Any:
    try:
        if isinstance(value, bool):
            raise ValueError("must be a number")
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise BadInput(f"grid.{key}: {error.errors()[0]['msg']} (got {value!r})") from error
    except ValueError as error:
        raise BadInput(f"grid.{key}: {error} (got {value!r})") from error
