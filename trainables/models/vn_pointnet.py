"""VN-PointNet (Deng et al. 2021, arXiv 2104.12229): PointNet on vector neurons."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.graph import Graph, Signature, nearest_topology
from trainables.models.layers.vector_clouds import (
    check_cloud_signature,
    cloud_positions,
    pointnet_classifier,
    vector_channels,
)
from trainables.models.layers.vector_neuron import (
    ContextVectorLinear,
    InvariantFrame,
    VectorLinear,
    VectorNeuron,
    VectorNorm,
    vector_neuron,
)


class VNPointNet(nn.Module):
    """(clouds, outputs) logits of point clouds, exactly invariant under rotations about the origin.

    The mean over each point's neighbors gives its first vectors; a branch computes vectors of the whole
    cloud, which are appended to them; a frame of learned vectors gives invariants, whose maximum over the
    points goes through a classifier.

    With the weights of the authors' code it computes the same function, except for a floor of 1e-16 under the
    square root of lengths, which keeps gradients finite at 0.

    Args:
        width: Multiplier of the published channel numbers (1: 1,972,745 parameters for 40 classes).
        num_neighbors: Number of neighbors of each point, including itself; fewer in clouds with fewer points.
        slope: Slope of the leaky ReLU for vectors.

    Raises:
        BadInput: If the task requires vectors or provides more than positions.
    """

    revision = 2  # 1: a point was not its own neighbor; a different floor under the lengths of vectors
    embedding_layers = ("edges.linear",)
    read_out_layers = ("classifier.7",)
    relax_default = ("*",)
    relax_companion = "linear"

    def __init__(
        self,
        signature: Signature,
        *,
        width: Annotated[float, Field(gt=0.1, le=4)] = 1.0,
        num_neighbors: Annotated[int, Field(ge=1)] = 20,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.4,
        slope: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__()
        check_cloud_signature(signature)
        self.num_neighbors = num_neighbors
        narrow, middle, wide = vector_channels(width, 64, 128, 1024)
        self.edges = vector_neuron(3, narrow, slope)
        self.points = vector_neuron(narrow, narrow, slope)
        self.cloud = CloudVectors(narrow, width, slope)
        self.joint = VectorNeuron(ContextVectorLinear(narrow, narrow, 2 * middle), middle, slope)
        self.widen = VectorLinear(middle, wide)
        self.norm = VectorNorm(wide)
        self.frame = InvariantFrame(wide, slope)
        self.classifier = pointnet_classifier(6 * wide, signature.outputs, width, dropout)

    def forward(self, graph: Graph) -> Tensor:
        """(clouds, outputs)"""
        positions = cloud_positions(graph)
        points = self.points(self.edges(neighbor_vectors(positions, self.num_neighbors)).mean(2))
        points = self.joint(points, self.cloud(points))
        invariants = self.frame(self.norm(self.widen(points)))
        return self.classifier(invariants.amax(1))


class CloudVectors(nn.Module):
    """Vectors of the whole cloud, as many as each point has."""

    def __init__(self, channels: int, width: float, slope: float) -> None:
        super().__init__()
        channels_points = [channels, *vector_channels(width, 64, 128, 1024)]
        channels_cloud = [channels_points[-1], *vector_channels(width, 512, 256)]
        self.points = vector_neurons(channels_points, slope)
        self.pooled = vector_neurons(channels_cloud, slope)
        self.last = VectorLinear(channels_cloud[-1], channels)

    def forward(self, points: Tensor) -> Tensor:
        """(clouds, points, 3, channels) -> (clouds, 3, channels)"""
        return self.last(self.pooled(self.points(points).mean(1)))


def vector_neurons(channels: list[int], slope: float) -> nn.Sequential:
    """Plain layers one after the other, from channels[0] to channels[-1]."""
    return nn.Sequential(*(vector_neuron(before, after, slope) for before, after in pairwise(channels)))


def neighbor_vectors(positions: Tensor, num_neighbors: int) -> Tensor:
    """Three vectors on each edge j -> i: x_j - x_i, x_i and x_j cross x_i; a point is its own first neighbor.

    positions (clouds, points, 3) -> (clouds, points, num_neighbors, 3, 3), channels last
    """
    clouds, points, _ = positions.shape
    topology = nearest_topology(
        positions.flatten(0, 1), clouds, min(num_neighbors, points), include_self=True
    )
    others = positions.flatten(0, 1)[topology.senders].view(clouds, points, topology.num_senders, 3)
    centers = positions.unsqueeze(2).expand_as(others)
    return torch.stack([others - centers, centers, torch.linalg.cross(others, centers)], dim=-1)
