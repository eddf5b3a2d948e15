"""VN-DGCNN (Deng et al. 2021, arXiv 2104.12229): vector neurons on nearest neighbors in feature space."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.graph import Graph, Signature, nearest_topology
from trainables.models.layers.vector_clouds import check_cloud_signature, cloud_positions, vector_channels
from trainables.models.layers.vector_edges import EdgeVectorNeuron
from trainables.models.layers.vector_neuron import InvariantFrame, VectorLinear, VectorNeuron


class VNDGCNN(nn.Module):
    """(clouds, outputs) logits of point clouds, exactly invariant under rotations about the origin.

    Four edge layers, each on the graph of the nearest neighbors in its input features, then a frame of
    learned vectors that gives invariants of each point, their maximum and mean, and a classifier.

    With the weights of the authors' code it computes the same function, except for a floor of 1e-16 under the
    square root of lengths, which keeps gradients finite at 0.

    Args:
        width: Multiplier of the published channel numbers (1: 2,899,830 parameters for 40 classes).
        num_neighbors: Number of neighbors of each point, including itself; fewer in clouds with fewer points.
        slope: Slope of the leaky ReLU, for vectors and in the classifier.

    Raises:
        BadInput: If the task requires vectors or provides more than positions.
    """

    revision = 2  # 1: a point was not its own neighbor; a different floor under the lengths of vectors
    embedding_layers = ("edges.0.linear",)
    read_out_layers = ("classifier.8",)
    relax_default = ("*.linear", "*.linear.*")
    relax_companion = "linear"

    def __init__(
        self,
        signature: Signature,
        *,
        width: Annotated[float, Field(gt=0.1, le=4)] = 1.0,
        num_neighbors: Annotated[int, Field(ge=1)] = 20,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        slope: Annotated[float, Field(ge=0, lt=1)] = 0.2,
    ) -> None:
        super().__init__()
        check_cloud_signature(signature)
        self.num_neighbors = num_neighbors
        channels = [1, *vector_channels(width, 64, 64, 128, 256)]
        (wide,) = vector_channels(width, 1024)
        first, second = int(512 * width), int(256 * width)
        self.edges = nn.ModuleList(
            EdgeVectorNeuron(channels_in, channels_out, slope)
            for channels_in, channels_out in pairwise(channels)
        )
        self.joint = VectorNeuron(VectorLinear(sum(channels[1:]), wide + 1), wide, slope)
        self.frame = InvariantFrame(wide, slope)
        self.classifier = nn.Sequential(
            nn.Linear(12 * wide, first), nn.BatchNorm1d(first), nn.LeakyReLU(slope), nn.Dropout(dropout),
            nn.Linear(first, second), nn.BatchNorm1d(second), nn.LeakyReLU(slope), nn.Dropout(dropout),
            nn.Linear(second, signature.outputs),
        )  # fmt: skip

    def forward(self, graph: Graph) -> Tensor:
        """(clouds, outputs)"""
        points = cloud_positions(graph).unsqueeze(-1)
        num_neighbors = min(self.num_neighbors, points.shape[1])
        layers = []
        for edges in self.edges:
            features = points.flatten(0, 1).flatten(1)
            topology = nearest_topology(features, graph.graphs, num_neighbors, include_self=True)
            points = edges(points, topology)
            layers.append(points)
        invariants = self.frame(self.joint(torch.cat(layers, dim=-1)))
        return self.classifier(torch.cat([invariants.amax(1), invariants.mean(1)], dim=-1))
