"""A task: data split in three, what a model predicts, and how the prediction is judged."""

from copy import copy
from typing import Literal, Self

import torch
from torch import Tensor, nn

from trainables.graph import Graph, Signature
from trainables.symmetry import Symmetry

Split = dict[str, Tensor]
"""The samples of one split: tensors whose first axis counts samples."""


class Task:
    """A loaded data set with its prediction problem. Subclasses set the attributes and the methods below.

    The failure rules measure distances to the ideals; trainables.training.outcome handles missing ones, too.

    Attributes:
        splits: "train", "val", "test", and further test sets whose names begin with "test_".
        metric, metric_goal: Name of the metric that is judged, and whether to minimize or maximize it.
        metric_ideal: Value that no predictor surpasses: 0 for an error, 1 for an accuracy, None if none
            exists.
        loss_ideal: The same for the training loss: 0 for a sum of squares, None for a negative log-likelihood.
        trivial: The metric of the trivial predictor on the validation split.
        evaluation_batch: Number of samples evaluated at once.
        differentiates_model: Whether `predict` takes derivatives of the model, as for forces from an energy.
        anisotropy: None until trainables.tasks.anisotropy has computed it.
    """

    splits: dict[str, Split]
    signature: Signature
    symmetry: Symmetry
    metric: str
    metric_goal: Literal["min", "max"]
    metric_ideal: float | None = None
    loss_ideal: float | None = None
    trivial: float
    evaluation_batch: int = 500
    differentiates_model: bool = False
    anisotropy: dict[str, float] | None = None

    def __init_subclass__(cls) -> None:
        """Reset the ideal of a metric or loss in a subclass that replaces it without stating a new ideal."""
        super().__init_subclass__()
        if "metric" in vars(cls) and "metric_ideal" not in vars(cls):
            cls.metric_ideal = None
        if "loss" in vars(cls) and "loss_ideal" not in vars(cls):
            cls.loss_ideal = None

    def to(self, device: torch.device) -> None:
        """Move all data to the device, once."""
        self.splits = {
            name: {key: value.to(device) for key, value in split.items()}
            for name, split in self.splits.items()
        }

    def with_dtype(self, dtype: torch.dtype) -> Self:
        """The same task with all its floating-point data in `dtype`."""
        task = copy(self)
        task.splits = {
            name: {
                key: value.to(dtype) if value.is_floating_point() else value for key, value in split.items()
            }
            for name, split in self.splits.items()
        }
        return task

    def augment(self, split: Split, generator: torch.Generator) -> Split:
        """A training batch as one step sees it, with the augmentation drawn for that step; unchanged by default."""
        return split

    def graph(self, split: Split) -> Graph:
        """The samples of `split` (already indexed to one batch) as the input of a model."""
        raise NotImplementedError

    def predict(self, model: nn.Module, graph: Graph) -> dict[str, Tensor]:
        """The model's answer, under the names that `loss` and `errors` read."""
        raise NotImplementedError

    def loss(self, prediction: dict[str, Tensor], split: Split) -> Tensor:
        """The training loss of a batch, a scalar."""
        raise NotImplementedError

    def errors(self, prediction: dict[str, Tensor], split: Split) -> dict[str, Tensor]:
        """Numbers for each sample, (samples,), whose means are reported; `metric` is one of the names."""
        raise NotImplementedError

    def rotate_targets(self, split: Split, matrices: Tensor) -> Split:
        """The batch's targets after its graphs were rotated by matrices (graphs, 3, 3)."""
        raise NotImplementedError


EVALUATION_ROWS = 60_000
"""Largest number of edges or points evaluated at once: a thousand features of each take a quarter of a GB."""


def samples_at_once(most: int, num_rows: int) -> int:
    """Number of samples of `num_rows` edges or points to evaluate at once: `most`, or fewer of large ones."""
    return max(1, min(most, EVALUATION_ROWS // max(1, num_rows)))


def size(split: Split) -> int:
    """Number of samples."""
    return len(next(iter(split.values())))


def select(split: Split, index: Tensor | slice) -> Split:
    """The samples at `index`."""
    return {key: value[index] for key, value in split.items()}
