"""The block `search` of a config."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from trainables.errors import BadInput
from trainables.spec import Positive, Settings

MOST_DRAWS = 10_000


class Bounds(Settings):
    """The range of learning rates.

    Attributes:
        log: The lowest and the highest learning rate, between which the logarithm is drawn.
    """

    log: tuple[Positive, Positive]

    @field_validator("log")
    @classmethod
    def _in_order(cls, log: tuple[float, float]) -> tuple[float, float]:
        if log[0] >= log[1]:
            raise ValueError("the first must be below the second")
        return log


class Search(Settings):
    """Learning rates drawn instead of `grid.lr`: the same for every arm, each with a different seed.

    Attributes:
        sampler: random, or `package.module:Class`; see study.search.samplers.
        trials: Number of draws; each arm runs every draw, once for each combination of the other axes.
        lr: Bounds of the learning rate, as `{log: [1.0e-4, 1.0e-1]}`.
        seed: Seed of the sampler.
    """

    sampler: str = "random"
    trials: Annotated[int, Field(ge=1, le=MOST_DRAWS)]
    lr: Bounds
    seed: Annotated[int, Field(ge=0)] = 0


def check_search(content: dict[str, Any]) -> None:
    """Raise BadInput if a config, as read, has both a search and settings that a search replaces."""
    if content.get("search") is None:
        return
    if content.get("refine") is not None:
        raise BadInput("search: a searched study has no grid to refine; leave out search or refine")
    axes = content.get("grid")
    for axis, what in (("lr", "learning rates"), ("seed", "a seed for each learning rate")):
        if isinstance(axes, dict) and axis in axes:
            raise BadInput(f"search: draws {what} itself; leave out grid.{axis} or search")
