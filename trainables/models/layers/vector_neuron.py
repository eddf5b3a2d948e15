"""Vector neurons (Deng et al. 2021, arXiv 2104.12229), channels last: features are (..., 3, channels).

A linear map mixes channels only, so it is one plain matrix product and commutes with every rotation.
"""

import torch
from torch import Tensor, nn

from trainables.relaxation.representation import vectors

# Added to a length before something is divided by it.
LENGTH_FLOOR = 1e-6
# Under the square root of a length, so that a vector at 0 has a finite gradient. The authors' code has none: their
# lengths differ from ours by 1e-8 at 0 and by at most 5e-17 / |p| elsewhere.
SQUARE_FLOOR = 1e-16
# Added to |d|^2 in the denominator of a projection on d.
DIRECTION_FLOOR = 1e-6


class VectorLinear(nn.Linear):
    """Mixes the channels of vectors: (..., 3, channels_in) -> (..., 3, channels_out)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, bias=False)
        self.representation_in = vectors(channels_in, group="SO3")
        self.representation_out = vectors(channels_out, group="SO3")

    def channel_map(self) -> Tensor:
        """(channels_out, channels_in)"""
        return self.weight

    @torch.no_grad()
    def add_channel_map(self, degree: int, matrix: Tensor) -> None:
        """Add a map of the channels, (channels_out, channels_in), in place; the only degree is 1."""
        self.weight += matrix


class ContextVectorLinear(nn.Module):
    """The linear map of each point's vectors together with vectors that all points of a cloud share.

    The shared part is mapped once for each cloud, not once for each point.
    """

    def __init__(self, channels_in: int, channels_context: int, channels_out: int) -> None:
        super().__init__()
        self.points = VectorLinear(channels_in, channels_out)
        self.context = VectorLinear(channels_context, channels_out)
        bound = (channels_in + channels_context) ** -0.5
        for part in (self.points, self.context):
            nn.init.uniform_(part.weight, -bound, bound)

    def forward(self, points: Tensor, context: Tensor) -> Tensor:
        """New vectors, (clouds, points, 3, channels_out).

        Args:
            points: (clouds, points, 3, channels_in).
            context: (clouds, 3, channels_context).
        """
        return self.points(points) + self.context(context).unsqueeze(1)


class VectorNorm(nn.Module):
    """Batch-norm of the lengths of vectors: p batchnorm(|p|) / |p|."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def scale(self, pp: Tensor) -> Tensor:
        """batchnorm(|p|) / |p| from the products <p, p>, (..., channels) -> (..., channels)."""
        lengths = (pp + SQUARE_FLOOR).sqrt() + LENGTH_FLOOR
        return self.norm(lengths.flatten(0, -2)).view_as(lengths) / lengths

    def forward(self, p: Tensor) -> Tensor:
        """(..., 3, channels) -> (..., 3, channels)."""
        return self.scale(p.square().sum(-2)).unsqueeze(-2) * p


class VectorActivation(nn.Module):
    """Batch-norm of the lengths of vectors p, then a leaky ReLU along directions d.

    q = p batchnorm(|p|) / |p|;   output = q - (1 - slope) min(<q, d>, 0) / |d|^2 d

    Both act on p and d through two factors, output = scale p + push d, which depend on invariants only.
    """

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        self.norm = VectorNorm(channels)
        self.slope = slope

    def factors(self, pp: Tensor, pd: Tensor, dd: Tensor) -> tuple[Tensor, Tensor]:
        """scale and push, (..., channels), from the products <p, p>, <p, d> and <d, d>, (..., channels)."""
        scale = self.norm.scale(pp)
        push = (1 - self.slope) * torch.relu(-scale * pd) / (dd + DIRECTION_FLOOR)
        return scale, push

    def forward(self, p: Tensor, d: Tensor) -> Tensor:
        """p (..., 3, channels), d (..., 3, channels) or (..., 3, 1) -> (..., 3, channels)."""
        scale, push = self.factors(p.square().sum(-2), (p * d).sum(-2), d.square().sum(-2))
        return scale.unsqueeze(-2) * p + push.unsqueeze(-2) * d


class VectorNeuron(nn.Module):
    """A linear map to features and directions, joined in one product, and the activation.

    Args:
        linear: Maps the inputs to (..., 3, channels + directions), the features first; as many directions as
            features, or a single one that all features share.
    """

    def __init__(self, linear: nn.Module, channels: int, slope: float) -> None:
        super().__init__()
        self.linear = linear
        self.activation = VectorActivation(channels, slope)
        self.channels = channels

    def forward(self, *inputs: Tensor) -> Tensor:
        """-> (..., 3, channels)."""
        mapped = self.linear(*inputs)
        directions = mapped.shape[-1] - self.channels
        return self.activation(*mapped.split([self.channels, directions], dim=-1))


def vector_neuron(channels_in: int, channels_out: int, slope: float) -> VectorNeuron:
    """The plain layer, (..., 3, channels_in) -> (..., 3, channels_out), a direction for each feature."""
    return VectorNeuron(VectorLinear(channels_in, 2 * channels_out), channels_out, slope)


class InvariantFrame(nn.Module):
    """Invariants of each point: products of its vectors and of their cloud mean with three learned vectors.

    The three vectors rotate with the cloud; the products do not.
    """

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        self.wide = VectorNeuron(ContextVectorLinear(channels, channels, 2 * channels), channels, slope)
        self.narrow = vector_neuron(channels, channels // 2, slope)
        self.frame = VectorLinear(channels // 2, 3)

    def forward(self, points: Tensor) -> Tensor:
        """(clouds, points, 3, channels) -> (clouds, points, 6 * channels)."""
        mean = points.mean(1)
        frame = self.frame(self.narrow(self.wide(points, mean))).transpose(-1, -2)
        seen_points = frame @ points
        seen_mean = (frame.flatten(1, 2) @ mean).view_as(seen_points)
        return torch.cat([seen_points, seen_mean], dim=-1).flatten(-2)
