"""PointNet (Qi et al. 2017, arXiv 1612.00593) without its alignment networks: the control without any symmetry."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from trainables.graph import Graph, Signature
from trainables.models.layers.vector_clouds import check_cloud_signature, pointnet_classifier


class PointNet(nn.Module):
    """(clouds, outputs) logits of point clouds; invariant under permutations of the points, not rotations.

    Each point's coordinates go through the same three layers; the maximum over the points is classified.

    Args:
        width: Multiplier of the published channel numbers (1: 64, 128, 1024 for the points, 512, 256 for the
            classifier).

    Raises:
        BadInput: If the task requires vectors or provides more than positions.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        width: Annotated[float, Field(gt=0.1, le=4)] = 1.0,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    ) -> None:
        super().__init__()
        check_cloud_signature(signature)
        narrow, middle, wide = (int(width * size) for size in (64, 128, 1024))
        self.points = nn.Sequential(
            nn.Linear(3, narrow), nn.BatchNorm1d(narrow), nn.ReLU(),
            nn.Linear(narrow, middle), nn.BatchNorm1d(middle), nn.ReLU(),
            nn.Linear(middle, wide), nn.BatchNorm1d(wide),
        )  # fmt: skip
        self.classifier = pointnet_classifier(wide, signature.outputs, width, dropout)

    def forward(self, graph: Graph) -> Tensor:
        """(clouds, outputs)"""
        points = self.points(graph.positions)
        return self.classifier(points.unflatten(0, (graph.graphs, -1)).amax(1))
