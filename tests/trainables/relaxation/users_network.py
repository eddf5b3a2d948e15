"""A network of e3nn layers as a user would write it, its inputs and its equivariance error."""

import torch
from e3nn import nn as enn
from e3nn import o3
from torch import nn


class UsersNetwork(nn.Module):
    """A small e3nn network as written by a user who has never heard of relaxation."""

    def __init__(self):
        super().__init__()
        self.harmonics = o3.Irreps.spherical_harmonics(2)
        hidden = o3.Irreps("8x0e+4x1o+2x2e")
        gate = enn.Gate("8x0e", [torch.tanh], "6x0e", [torch.sigmoid], "4x1o+2x2e")
        self.embed = o3.FullyConnectedTensorProduct("2x0e", self.harmonics, hidden)
        self.mix = o3.Linear(hidden, gate.irreps_in)
        self.gate = gate
        self.product = o3.TensorProduct(
            hidden, self.harmonics, "4x1o", [(1, 0, 0, "uvu", True), (2, 1, 0, "uvw", True)]
        )
        self.read_out = o3.Linear("4x1o", "1x1o")

    def forward(self, positions, features):
        attributes = o3.spherical_harmonics(self.harmonics, positions, normalize=True)
        hidden = self.gate(self.mix(self.embed(features, attributes)))
        assert self.mix.irreps_out == self.gate.irreps_in  # networks do read their layers' attributes
        return self.read_out(self.product(hidden, attributes))


def generator():
    return torch.Generator().manual_seed(3)


def inputs():
    return torch.randn(6, 3, generator=generator()), torch.randn(6, 2, generator=generator())


def error_of(network):
    positions, features = inputs()
    matrix = o3.rand_matrix()
    with torch.no_grad():
        rotated, straight = network(positions @ matrix.T, features), network(positions, features) @ matrix.T
    return float((rotated - straight).norm() / straight.norm())
