"""Parts shared by the networks for point clouds: input, published channels, and PointNet's classifier."""

from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.graph import Graph, Signature


def check_cloud_signature(signature: Signature) -> None:
    """Raise BadInput unless the task requires invariants of whole clouds and provides positions only."""
    if signature.output != "scalars":
        raise BadInput("model.name: a classifier of point clouds cannot output vectors; choose another model")
    if signature.scalars or signature.vectors or signature.edge_scalars:
        raise BadInput("model.name: a classifier of point clouds reads positions only; choose another model")


def cloud_positions(graph: Graph) -> Tensor:
    """(clouds, points, 3)."""
    return graph.positions.unflatten(0, (graph.graphs, -1))


def vector_channels(width: float, *scalar_channels: int) -> list[int]:
    """Numbers of vector channels in place of scalar ones: a third of each, times width."""
    return [int(width * channels) // 3 for channels in scalar_channels]


def pointnet_classifier(channels: int, classes: int, width: float, dropout: float) -> nn.Sequential:
    """(clouds, channels) -> (clouds, classes) logits, by two layers of 512 and 256 times width (Qi et al. 2017)."""
    first, second = int(width * 512), int(width * 256)
    return nn.Sequential(
        nn.Linear(channels, first), nn.BatchNorm1d(first), nn.ReLU(),
        nn.Linear(first, second), nn.Dropout(dropout), nn.BatchNorm1d(second), nn.ReLU(),
        nn.Linear(second, classes),
    )  # fmt: skip
