"""The hooks of a method during a trial; the training loop calls these and nothing else."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, ValidationInfo
from torch import Tensor, nn

from trainables.symmetry import Symmetry

Rotate = Literal["none", "batch", "graph"]


def check_inversion(inversion: bool, options: ValidationInfo) -> bool:
    """The value, if rotations are drawn for it to act on; else raises ValueError."""
    if inversion and options.data.get("rotate") == "none":
        raise ValueError("has no effect without rotate; set rotate to batch or graph")
    return inversion


Inversion = Annotated[bool, AfterValidator(check_inversion)]
"""An option `inversion`, declared after an option `rotate`."""


class Method:
    """The strict method, and the base class of all others: each hook does nothing.

    The order of a trial: `relax` once; for each step `begin_step`, forward, `penalty` added to the loss, backward,
    optimizer, `end_step`; `project` before step `projection_step(steps)`, after which the model is strict
    again and no hook except `augmentation` is called; test of the projected model.
    """

    delivers_strict = True
    """Whether the tested model is the strict one; False only for unconstrained training."""

    rotate: Rotate = "none"
    """Whether each step's batch is rotated: by one random rotation, or each graph by a separate one."""

    whole_batch = False
    """Whether the penalty needs the whole batch in one process, because it is not a mean over samples."""

    inversion = False
    """Whether each of these rotations is combined with an inversion with probability 1/2."""

    symmetry = Symmetry(inversion=True, translations=True)
    """The group of the task, set before `relax`: augmentation draws from it, penalties measure it."""

    def relax(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """Return the model to train, made from the strict `model`; random numbers from `generator` only."""
        return model

    def companion_parameters(self, model: nn.Module) -> list[nn.Parameter]:
        """The parameters that the method added; they get a separate optimizer."""
        return []

    def begin_step(self, model: nn.Module, step: int, steps: int) -> None:
        """Set theta and the penalty weights for step `step` of `steps`."""

    def augmentation(self, graphs: int, generator: torch.Generator) -> Tensor | None:
        """(graphs, 3, 3) matrices that transform the batch before the forward pass; None for none.

        They are drawn on the generator's device.
        """
        if self.rotate == "none":
            return None
        count = graphs if self.rotate == "graph" else 1
        matrices = self.symmetry.random_rotations(count, generator)
        if self.inversion:
            matrices = self.symmetry.random_mirrors(count, generator) @ matrices
        return matrices.expand(graphs, 3, 3)

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The term added to the loss of this step, from what the forward pass recorded; None for none."""
        return None

    def watched(self, model: nn.Module) -> Tensor | None:
        """Numbers (k,) of this step, means over the samples, that `observe` should receive; None for none.

        If several processes share a batch, it receives those of the whole batch.
        """
        return None

    def observe(self, model: nn.Module, loss: float, watched: list[float]) -> None:
        """Receive the loss of a step, and the numbers watched in it."""

    def state(self) -> dict[str, Any]:
        """The state to checkpoint besides the model: numbers, strings, tensors, and lists and dicts of them."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from such a state."""

    def end_step(self, model: nn.Module) -> None:
        """Update what is not trained by the optimizer (dual variables)."""

    def projection_step(self, steps: int) -> int:
        """The step before which the model is projected: 0 means strict from the start, `steps` after the last."""
        return 0

    def project(self, model: nn.Module) -> nn.Module:
        """Return the strict model."""
        return model

    def delivered(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """Within the block, the model that would be delivered if training ended now."""
        return nullcontext(model)

    def theta_now(self, model: nn.Module) -> Tensor | float:
        """How far the constraint is relaxed in this step: theta, or the largest |gamma|."""
        return 0.0

    def measures(self, model: nn.Module) -> dict[str, float]:
        """Columns for the history: theta, and other numbers that describe the method's state."""
        return {"theta": 0.0}
