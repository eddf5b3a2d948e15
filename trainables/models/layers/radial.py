"""Functions of the distance between two nodes."""

import torch
from torch import Tensor, nn


class ExponentialNormal(nn.Module):
    """exp(-b (exp(-r / length) - c_k)^2) with centers c_k evenly spaced from 0 to 1.

    Unke and Meuwly 2019 (arXiv 1902.08408), equation 7. It maps all distances to a bounded interval and is finest
    near zero, so it needs no cutoff: on complete graphs everything built on it is smooth everywhere.

    Args:
        length: In the unit of the positions; the functions are distinct up to a few times this length.
    """

    centers: Tensor

    def __init__(self, functions: int, length: float) -> None:
        super().__init__()
        self.length = length
        self.sharpness = (functions / 2) ** 2
        self.register_buffer("centers", torch.linspace(0, 1, functions), persistent=False)

    def forward(self, distances: Tensor) -> Tensor:
        """(edges, 1) -> (edges, functions)"""
        return torch.exp(-self.sharpness * (torch.exp(-distances / self.length) - self.centers).square())


def radial_network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A network from radial functions and other invariants of an edge to the weights of a product."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs)
    )
