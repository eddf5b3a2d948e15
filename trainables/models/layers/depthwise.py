"""Features of several degrees: linear map, norm, and the depth-wise tensor product with spherical harmonics.

Features are (nodes or edges, components, channels) tensors: the components are those of the degrees
0, 1, ..., largest one after the other, (largest + 1)^2 in all, with the same number of channels in each.
Degree l has the parity (-1)^l of the spherical harmonics, so that every map here commutes with O(3).
"""

import torch
from e3nn import o3
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.graph import Graph
from trainables.models.layers.inputs import node_invariants
from trainables.relaxation.representation import Representation


def degree_features(channels: int, largest: int) -> Representation:
    """The representation of (..., (largest+1)^2, channels)."""
    irreps = o3.Irreps([(channels, (degree, (-1) ** degree)) for degree in range(largest + 1)])
    return Representation(irreps, "channels_last", ((largest + 1) ** 2, channels))


def degree_of_component(largest: int) -> Tensor:
    """((largest+1)^2,): 0, 1, 1, 1, 2, 2, 2, 2, 2, ..."""
    degrees = torch.arange(largest + 1)
    return degrees.repeat_interleave(2 * degrees + 1)


def pad_components(x: Tensor, components: int) -> Tensor:
    """(..., first few components, channels) -> (..., components, channels), padded with zeros."""
    return F.pad(x, (0, 0, 0, components - x.shape[-2]))


def embed_nodes(graph: Graph, scalars: nn.Linear, vectors: nn.Linear | None, components: int) -> Tensor:
    """(nodes, components, channels): the node's invariants as scalars, its vectors as degree 1, zero above.

    Args:
        scalars: Map of `node_invariants`.
        vectors: Map of the node vectors, without bias; None if the signature has none.
    """
    x = scalars(node_invariants(graph)).unsqueeze(1)
    if vectors is not None:
        x = torch.cat([x, vectors(graph.vectors.transpose(1, 2))], dim=1)
    return pad_components(x, components)


class DegreeLinear(nn.Module):
    """For each degree a matrix that mixes its channels, and a bias for the scalars."""

    degrees: Tensor

    def __init__(self, channels_in: int, channels_out: int, largest: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(largest + 1, channels_in, channels_out) / channels_in**0.5)
        self.bias = nn.Parameter(torch.zeros(1, channels_out))
        self.register_buffer("degrees", degree_of_component(largest), persistent=False)
        self.representation_in = degree_features(channels_in, largest)
        self.representation_out = degree_features(channels_out, largest)

    def matrices(self) -> list[Tensor]:
        """One matrix for each degree, (channels_in, channels_out)."""
        return list(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(n, components, channels_in) -> (n, components, channels_out)"""
        bias = pad_components(self.bias, len(self.degrees)).unsqueeze(1)
        weights = self.weight.index_select(0, self.degrees)
        return torch.baddbmm(bias, x.transpose(0, 1), weights).transpose(0, 1)

    @torch.no_grad()
    def add_channel_map(self, degree: int, matrix: Tensor) -> None:
        """Add a map of the channels of one degree, (channels_out, channels_in), in place."""
        self.weight[degree] += matrix.T


class DegreeNorm(nn.Module):
    """Layer norm: scalars are centered, and each degree is divided by its root mean square over the channels.

    Liao and Smidt 2023 (arXiv 2206.11990), section 4.2.
    """

    degrees: Tensor
    average: Tensor

    def __init__(self, channels: int, largest: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        degrees = degree_of_component(largest)
        same_degree = (degrees[:, None] == degrees).to(torch.get_default_dtype())
        self.weight = nn.Parameter(torch.ones(largest + 1, channels))
        self.bias = nn.Parameter(torch.zeros(1, channels))
        self.register_buffer("degrees", degrees, persistent=False)
        self.register_buffer("average", same_degree / same_degree.sum(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, components, channels) -> the same"""
        components = len(self.degrees)
        centered = x - pad_components(x[:, :1].mean(-1, keepdim=True), components)
        mean_squares = centered.square().mean(-1) @ self.average
        scale = (mean_squares + self.epsilon).rsqrt().unsqueeze(-1)
        return centered * scale * self.weight.index_select(0, self.degrees) + pad_components(
            self.bias, components
        )


def coupling_paths(largest: int, inversion: bool = True) -> list[list[tuple[int, int]]]:
    """For each output degree the pairs (input degree, harmonic degree) that couple to it and keep the parity.

    Args:
        inversion: False for all pairs, including those whose products are axial.
    """
    degrees = range(largest + 1)
    return [
        [
            (degree_in, harmonic)
            for degree_in in degrees
            for harmonic in degrees
            if abs(degree_in - harmonic) <= degree_out <= degree_in + harmonic
            and (not inversion or (degree_in + harmonic + degree_out) % 2 == 0)
        ]
        for degree_out in degrees
    ]


class Couplings(nn.Module):
    """The spherical harmonics of each edge, contracted with the Clebsch-Gordan coefficients.

    All depth-wise products of a network share them, since they depend on the directions only.
    """

    def __init__(self, largest: int, inversion: bool = True) -> None:
        super().__init__()
        self.degrees = list(range(largest + 1))
        self.components = (largest + 1) ** 2
        all_paths = coupling_paths(largest, inversion)
        blocks = [self._coefficients(degree, paths) for degree, paths in enumerate(all_paths)]
        self.register_buffer("coefficients", torch.cat(blocks, -1).flatten(1), persistent=False)

    def _coefficients(self, degree_out: int, paths: list[tuple[int, int]]) -> Tensor:
        """(harmonic components, components, (2l+1) * paths); components keep unit variance."""
        block = torch.zeros(self.components, self.components, 2 * degree_out + 1, len(paths))
        for path, (degree_in, harmonic) in enumerate(paths):
            symbol = o3.wigner_3j(degree_in, harmonic, degree_out, dtype=block.dtype).transpose(0, 1)
            rows, columns = (slice(degree**2, (degree + 1) ** 2) for degree in (harmonic, degree_in))
            block[rows, columns, :, path] = symbol * (2 * degree_out + 1) ** 0.5
        return block.flatten(2)

    def forward(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """The harmonics of edges and their couplings.

        Args:
            directions: (edges, 3), of any nonzero length.

        Returns:
            Harmonics (edges, components), of unit variance, and couplings (edges, components, products), the
            matrix that maps features to their products with the harmonics. Products are sorted by output
            degree, then component, then path.
        """
        harmonics = o3.spherical_harmonics(
            self.degrees, directions, normalize=True, normalization="component"
        )
        return harmonics, (harmonics @ self.coefficients).unflatten(-1, (self.components, -1))


class PathLinear(nn.Module):
    """For each output degree a matrix that mixes the channels of all paths that lead to it."""

    def __init__(self, channels: int, channels_out: list[int]) -> None:
        """The matrices of all degrees, drawn at random.

        Args:
            channels_out: Number of channels of each output degree.
        """
        super().__init__()
        paths = [len(paths) for paths in coupling_paths(len(channels_out) - 1)]
        self.channels = channels
        self.widths = [count * channels for count in paths]
        self.products = [(2 * degree + 1) * count for degree, count in enumerate(paths)]
        self.weights = nn.ParameterList(
            torch.randn(width, out) / width**0.5 for width, out in zip(self.widths, channels_out, strict=True)
        )
        self.bias = nn.Parameter(torch.zeros(channels_out[0]))

    def matrices(self) -> list[Tensor]:
        """One matrix for each path, (channels, channels_out[l])."""
        return [matrix for weight in self.weights for matrix in weight.split(self.channels)]

    def forward(self, products: Tensor, factors: Tensor | None = None) -> list[Tensor]:
        """(n, products, channels) -> for each degree (n, 2l+1, channels_out[l]).

        Args:
            factors: (n, sum of widths), which multiply each path and channel; None for ones.
        """
        blocks = [
            block.unflatten(1, (2 * degree + 1, -1)).flatten(2)
            for degree, block in enumerate(products.split(self.products, 1))
        ]
        if factors is not None:
            by_degree = factors.unsqueeze(1).split(self.widths, -1)
            blocks = [block * factor for block, factor in zip(blocks, by_degree, strict=True)]
        mixed = [block @ weight for block, weight in zip(blocks, self.weights, strict=True)]
        return [mixed[0] + self.bias, *mixed[1:]]
