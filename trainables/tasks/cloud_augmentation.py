"""Augmentation of point clouds, redrawn in every training step, on the device of the points."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from trainables.spec import Settings


class Augment(Settings):
    """Changes to each cloud of a batch, applied in this order; the defaults change nothing.

    The published point-cloud trainings use dropout 0.875, scale 1.25 and shift 0.1.

    Attributes:
        dropout: The share of points replaced by the cloud's first point is uniform between 0 and this.
        scale: A factor uniform between 1 / scale and scale.
        shift: Displacement of the whole cloud, uniform between -shift and shift on each axis.
        jitter: Standard deviation of the noise on each coordinate.
    """

    scale: Annotated[float, Field(ge=1, le=10)] = 1.0
    shift: Annotated[float, Field(ge=0, le=10)] = 0.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __call__(self, points: Tensor, generator: torch.Generator) -> Tensor:
        """(clouds, points, 3) -> the same shape; random numbers from the generator, on the device of the points."""
        clouds, count, _ = points.shape

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=points.device, dtype=points.dtype)

        if self.dropout > 0:
            dropped = uniform(clouds, count, 1) < self.dropout * uniform(clouds, 1, 1)
            points = torch.where(dropped, points[:, :1], points)
        if self.scale > 1:
            points = points * (1 / self.scale + (self.scale - 1 / self.scale) * uniform(clouds, 1, 1))
        if self.shift > 0:
            points = points + self.shift * (2 * uniform(clouds, 1, 3) - 1)
        if self.jitter > 0:
            noise = torch.randn(points.shape, generator=generator, device=points.device, dtype=points.dtype)
            points = points + self.jitter * noise
        return points
