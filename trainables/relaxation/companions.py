"""The unconstrained maps g that run beside a strict layer, on flattened features (rows, dim)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear


class LinearCompanion(nn.Module):
    """g(x) = W x with W dense, (dim_out, dim_in).

    Args:
        init: Standard deviation of the entries of W at the start; 0 for zeros.
    """

    def __init__(self, dim_in: int, dim_out: int, init: float, generator: torch.Generator | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(_normal((dim_out, dim_in), init, generator))

    def matrices(self) -> list[Tensor]:
        """All weights except the biases."""
        return [self.weight]

    def forward(self, x: Tensor) -> Tensor:
        """(rows, dim_in) -> (rows, dim_out)"""
        return linear(x, self.weight)


class FeedForwardCompanion(nn.Module):
    """g = linear, GELU, linear, with a hidden width of 4 dim_in; for Equiformer's feed-forward blocks.

    Args:
        init: Factor on the weights of the second layer; otherwise both layers start as PyTorch's linear layers do.
    """

    def __init__(self, dim_in: int, dim_out: int, init: float, generator: torch.Generator | None) -> None:
        super().__init__()
        hidden = 4 * dim_in
        self.first = nn.Parameter(_uniform((hidden, dim_in), dim_in, generator))
        self.first_bias = nn.Parameter(_uniform((hidden,), dim_in, generator))
        self.second = nn.Parameter(init * _uniform((dim_out, hidden), hidden, generator))
        self.second_bias = nn.Parameter(init * _uniform((dim_out,), hidden, generator))

    def matrices(self) -> list[Tensor]:
        """All weights except the biases."""
        return [self.first, self.second]

    def forward(self, x: Tensor) -> Tensor:
        """(rows, dim_in) -> (rows, dim_out)"""
        inner = linear(x, self.first, self.first_bias)
        return linear(gelu(inner), self.second, self.second_bias)

    def values_and_tangents(self, points: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
        """g at points (p, rows, dim_in) and its derivative at the first of them along changes (k, rows, dim_in)."""
        inner, changes = _activated(*_linear_together(points, changes, self.first, self.first_bias))
        return _linear_together(inner, changes, self.second, self.second_bias)


class MLPCompanion(nn.Module):
    """g = three linear layers with GELU between them, of widths dim_in, dim_in, dim_out, dim_out.

    The released code of ACE (andreimano/ACE) puts this companion beside SEGNN's updates, where dim_in = 2 dim_out.

    Args:
        init: Factor on the weights of the last layer; 1 for PyTorch's default initialization in all three.
    """

    def __init__(self, dim_in: int, dim_out: int, init: float, generator: torch.Generator | None) -> None:
        super().__init__()
        self.first = nn.Parameter(_uniform((dim_in, dim_in), dim_in, generator))
        self.first_bias = nn.Parameter(_uniform((dim_in,), dim_in, generator))
        self.second = nn.Parameter(_uniform((dim_out, dim_in), dim_in, generator))
        self.second_bias = nn.Parameter(_uniform((dim_out,), dim_in, generator))
        self.third = nn.Parameter(init * _uniform((dim_out, dim_out), dim_out, generator))
        self.third_bias = nn.Parameter(init * _uniform((dim_out,), dim_out, generator))

    def matrices(self) -> list[Tensor]:
        """All weights except the biases."""
        return [self.first, self.second, self.third]

    def forward(self, x: Tensor) -> Tensor:
        """(rows, dim_in) -> (rows, dim_out)"""
        inner = gelu(linear(x, self.first, self.first_bias))
        return linear(gelu(linear(inner, self.second, self.second_bias)), self.third, self.third_bias)

    def values_and_tangents(self, points: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
        """g at points (p, rows, dim_in) and its derivative at the first of them along changes (k, rows, dim_in)."""
        first, changes = _activated(*_linear_together(points, changes, self.first, self.first_bias))
        second, changes = _activated(*_linear_together(first, changes, self.second, self.second_bias))
        return _linear_together(second, changes, self.third, self.third_bias)


Network = FeedForwardCompanion | MLPCompanion
Companion = LinearCompanion | Network


def _linear_together(points: Tensor, changes: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A linear layer at points and its derivative along changes, in one product: a few rows take as long as one."""
    values, tangents = linear(torch.cat([points, changes]), weight).split([len(points), len(changes)])
    return values + bias, tangents


def _activated(points: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
    """GELU at points and its derivative, at the first of them, along changes."""
    return gelu(points), _gelu_slope(points[0]) * changes


def _gelu_slope(x: Tensor) -> Tensor:
    """The derivative of GELU."""
    density = torch.exp(-0.5 * x.square()) / math.sqrt(2 * math.pi)
    return 0.5 * (1 + torch.erf(x / math.sqrt(2))) + x * density


def _normal(shape: tuple[int, ...], deviation: float, generator: torch.Generator | None) -> Tensor:
    return deviation * torch.randn(shape, generator=generator)


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator | None) -> Tensor:
    return (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(fan_in)
