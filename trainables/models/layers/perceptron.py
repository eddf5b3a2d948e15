"""The two-layer perceptron, of which most parts of most networks are made, and a smooth leaky ReLU."""

import torch
from torch import Tensor, nn


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """(..., inputs) -> (..., outputs): two linear layers with SiLU between them."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def smooth_leaky_relu(x: Tensor, slope: float = 0.2) -> Tensor:
    """A leaky ReLU without its kink: slope * x far below zero, x far above."""
    return slope * x + (1 - slope) * x * torch.sigmoid(x)
