"""The unconstrained maps g that run beside a strict layer, on flattened features (rows, dim)."""

import math

import torch
from torch import Tensor, nn


class LinearCompanion(nn.Module):
    """g(x) = W x with W dense, (dim_out, dim_in).

    init: standard deviation of the entries of W at the start; 0 for zeros
    """

    def __init__(self, dim_in: int, dim_out: int, init: float, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(_normal((dim_out, dim_in), init, generator))

    def forward(self, x: Tensor) -> Tensor:
        """(rows, dim_in) -> (rows, dim_out)"""
        return nn.functional.linear(x, self.weight)

    def tangents(self, x: Tensor, changes: Tensor) -> Tensor:
        """The derivative of g at x (rows, dim_in) along changes (k, rows, dim_in) -> (k, rows, dim_out)."""
        return self(changes)


class MLPCompanion(nn.Module):
    """g = linear, GELU, linear, four times as wide inside as dim_in; for Equiformer's feed-forward blocks.

    init: factor on the weights of the second layer, which start out as PyTorch's linear layers do otherwise
    """

    def __init__(self, dim_in: int, dim_out: int, init: float, generator: torch.Generator) -> None:
        super().__init__()
        hidden = 4 * dim_in
        self.first = nn.Parameter(_uniform((hidden, dim_in), dim_in, generator))
        self.first_bias = nn.Parameter(_uniform((hidden,), dim_in, generator))
        self.second = nn.Parameter(init * _uniform((dim_out, hidden), hidden, generator))
        self.second_bias = nn.Parameter(init * _uniform((dim_out,), hidden, generator))

    def forward(self, x: Tensor) -> Tensor:
        """(rows, dim_in) -> (rows, dim_out)"""
        inner = nn.functional.linear(x, self.first, self.first_bias)
        return nn.functional.linear(nn.functional.gelu(inner), self.second, self.second_bias)

    def tangents(self, x: Tensor, changes: Tensor) -> Tensor:
        """The derivative of g at x (rows, dim_in) along changes (k, rows, dim_in) -> (k, rows, dim_out)."""
        inner = nn.functional.linear(x, self.first, self.first_bias)
        density = torch.exp(-0.5 * inner.square()) / math.sqrt(2 * math.pi)
        gelu_slope = 0.5 * (1 + torch.erf(inner / math.sqrt(2))) + inner * density
        return nn.functional.linear(gelu_slope * nn.functional.linear(changes, self.first), self.second)


Companion = LinearCompanion | MLPCompanion


def _normal(shape: tuple[int, ...], deviation: float, generator: torch.Generator) -> Tensor:
    return deviation * torch.randn(shape, generator=generator)


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> Tensor:
    return (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(fan_in)
