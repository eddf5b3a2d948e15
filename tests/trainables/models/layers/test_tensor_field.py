"""Attention against its equations written out edge by edge, with kernels applied to the sender as they stand."""

import pytest
import torch
from e3nn import o3
from torch import Tensor, nn

from trainables.graph import complete_topology
from trainables.models.layers.depthwise import Couplings, coupling_paths
from trainables.models.layers.tensor_field import Attention

CHANNELS, DEGREE, HEADS, EDGE_INPUTS = 4, 2, 2, 3
PATHS = coupling_paths(DEGREE)


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def block(x: Tensor, degree: int) -> Tensor:
    """The components of one degree, from (components, channels)."""
    return x[degree**2 : (degree + 1) ** 2]


def mix(x: Tensor, linear: nn.Module) -> Tensor:
    """A matrix for each degree, from (components, channels)."""
    return torch.cat([block(x, degree) @ linear.weight[degree] for degree in range(DEGREE + 1)]) + torch.cat(
        [linear.bias, torch.zeros(len(x) - 1, CHANNELS)]
    )


def path_products(x: Tensor, direction: Tensor, radial: Tensor) -> list[Tensor]:
    """For each output degree (2l+1, paths * channels): features times harmonics times radial functions."""
    radial = list(radial.view(-1, CHANNELS))
    collected = []
    for out, paths in enumerate(PATHS):
        parts = []
        for degree_in, harmonic in paths:
            y = o3.spherical_harmonics(harmonic, direction, normalize=True, normalization="component")
            symbol = o3.wigner_3j(degree_in, harmonic, out) * (2 * out + 1) ** 0.5
            product = torch.einsum("ijk,ic,j->kc", symbol, block(x, degree_in), y)
            parts.append(product * radial.pop(0))
        collected.append(torch.cat(parts, dim=1))
    return collected


def head_of_columns(paths: int) -> Tensor:
    return torch.arange(CHANNELS).div(CHANNELS // HEADS, rounding_mode="floor").repeat(paths)


def test_attention_follows_the_equations():
    topology = complete_topology(1, 4, torch.device("cpu"))
    attention = Attention(CHANNELS, DEGREE, EDGE_INPUTS, 5, HEADS)
    couplings_of = Couplings(DEGREE)
    x = torch.randn(4, (DEGREE + 1) ** 2, CHANNELS)
    directions = torch.randn(len(topology.senders), 3)
    edges = torch.randn(len(topology.senders), EDGE_INPUTS)
    sizes = [(2 * out + 1) * len(paths) for out, paths in enumerate(PATHS)]
    couplings = [part.transpose(1, 2) for part in couplings_of(directions)[1].split(sizes, dim=-1)]
    found = attention(x, couplings, edges, topology)

    key_radial, value_radial = attention.keys.radial(edges), attention.values.radial(edges)
    for node in range(4):
        logits, values = [], []
        for edge in range(3 * node, 3 * node + 3):
            sender = x[topology.senders[edge]]
            keys = path_products(mix(sender, attention.keys.sender), directions[edge], key_radial[edge])
            matches = torch.zeros(HEADS)
            for degree, (key, matrix) in enumerate(zip(keys, attention.queries, strict=True)):
                for head in range(HEADS):
                    of_head = (head_of_columns(len(PATHS[degree])) == head).to(key)
                    mixed = (key * of_head) @ matrix.T
                    matches[head] += (block(x[node], degree) * mixed).sum()
            logits.append(matches / (x.shape[1] * CHANNELS / HEADS) ** 0.5)
            values.append(
                path_products(mix(sender, attention.values.sender), directions[edge], value_radial[edge])
            )
        weights = torch.stack(logits).softmax(0)
        for degree in range(DEGREE + 1):
            by_column = weights[:, head_of_columns(len(PATHS[degree]))].unsqueeze(1)
            summed = (by_column * torch.stack([value[degree] for value in values])).sum(0)
            expected = summed @ attention.output.weights[degree]
            if degree == 0:
                expected = expected + attention.output.bias
            torch.testing.assert_close(block(found[node], degree), expected, rtol=1e-10, atol=1e-12)
