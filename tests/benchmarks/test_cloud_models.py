"""Training steps of the vector-neuron networks on 2 clouds of 300 points, full width, against plain ones.

The plain networks keep channels in the middle, (clouds, channels, 3, points, neighbors), and store the features
of all edges, as in the paper's formulas.
"""

import pytest
import timing
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.graph import Graph, Signature
from trainables.models.vn_dgcnn import VNDGCNN
from trainables.models.vn_pointnet import VNPointNet

CLOUDS, POINTS, NUM_NEIGHBORS, CLASSES = 2, 300, 20, 40
SIGNATURE = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=CLASSES)


class PlainNorm(nn.Module):
    """Batch-norm of lengths, (clouds, channels, 3, ...)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        length = (x.square().sum(2) + 1e-8).sqrt()
        normalized = self.norm(length.flatten(2)).view_as(length) if length.ndim > 2 else self.norm(length)
        return x / length.unsqueeze(2) * normalized.unsqueeze(2)


class PlainLinear(nn.Linear):
    """Mixes channels, (clouds, channels, 3, ...)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, -1)).transpose(1, -1)


class PlainNeuron(nn.Module):
    """Linear map, batch-norm, leaky ReLU, (clouds, channels, 3, ...)."""

    def __init__(
        self, channels_in: int, channels_out: int, slope: float, directions: int | None = None
    ) -> None:
        super().__init__()
        self.features = PlainLinear(channels_in, channels_out)
        self.directions = PlainLinear(channels_in, directions or channels_out)
        self.norm = PlainNorm(channels_out)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        p, d = self.norm(self.features(x)), self.directions(x)
        product = (p * d).sum(2, keepdim=True)
        kept = (product >= 0).to(p.dtype)
        cut = p - product / ((d * d).sum(2, keepdim=True) + 1e-6) * d
        return self.slope * p + (1 - self.slope) * (kept * p + (1 - kept) * cut)


class PlainFrame(nn.Module):
    """(clouds, channels, 3, points) -> (clouds, 3 * channels, points)."""

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        self.wide = PlainNeuron(channels, channels // 2, slope)
        self.narrow = PlainNeuron(channels // 2, channels // 4, slope)
        self.frame = PlainLinear(channels // 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        frame = self.frame(self.narrow(self.wide(x)))
        return torch.einsum("bcvn,bfvn->bcfn", x, frame).flatten(1, 2)


def edges(x: Tensor, cross: bool) -> Tensor:
    """(clouds, channels, 3, points) -> (clouds, 2 or 3 times the channels, 3, points, neighbors)."""
    flat = x.flatten(1, 2)
    squares = flat.square().sum(1)
    distances = squares[:, :, None] + squares[:, None, :] - 2 * flat.transpose(1, 2) @ flat
    distances.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    nearest = distances.topk(NUM_NEIGHBORS, dim=-1, largest=False).indices
    cloud = torch.arange(len(x)).view(-1, 1, 1)
    others = x.permute(0, 3, 1, 2)[cloud, nearest].permute(0, 3, 4, 1, 2)
    centers = x.unsqueeze(-1).expand_as(others)
    parts = [others - centers, centers]
    return torch.cat(parts + [torch.linalg.cross(others, centers, dim=2)] * cross, dim=1)


def with_mean(x: Tensor) -> Tensor:
    """The vectors of each point, followed by their mean over the cloud."""
    return torch.cat([x, x.mean(-1, keepdim=True).expand_as(x)], dim=1)


class PlainVNPointNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.edges = PlainNeuron(3, 21, 0.0)
        self.points = PlainNeuron(21, 21, 0.0)
        self.cloud_points = nn.Sequential(
            PlainNeuron(21, 21, 0.0), PlainNeuron(21, 42, 0.0), PlainNeuron(42, 341, 0.0)
        )
        self.cloud = nn.Sequential(PlainNeuron(341, 170, 0.0), PlainNeuron(170, 85, 0.0), PlainLinear(85, 21))
        self.joint = PlainNeuron(42, 42, 0.0)
        self.widen = nn.Sequential(PlainLinear(42, 341), PlainNorm(341))
        self.frame = PlainFrame(682, 0.0)
        self.classifier = nn.Sequential(
            nn.Linear(2046, 512), nn.BatchNorm1d(512), nn.ReLU(),
            nn.Linear(512, 256), nn.Dropout(0.4), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, CLASSES),
        )  # fmt: skip

    def forward(self, positions: Tensor) -> Tensor:
        x = self.points(self.edges(edges(positions.transpose(1, 2).unsqueeze(1), cross=True)).mean(-1))
        cloud = self.cloud(self.cloud_points(x).mean(-1))
        x = self.joint(torch.cat([x, cloud.unsqueeze(-1).expand_as(x)], dim=1))
        return self.classifier(self.frame(with_mean(self.widen(x))).amax(-1))


class PlainVNDGCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            PlainNeuron(*channels, 0.2) for channels in [(2, 21), (42, 21), (42, 42), (84, 85)]
        )
        self.joint = PlainNeuron(169, 341, 0.2, directions=1)
        self.frame = PlainFrame(682, 0.2)
        self.classifier = nn.Sequential(
            nn.Linear(4092, 512), nn.BatchNorm1d(512), nn.LeakyReLU(0.2), nn.Dropout(0.5),
            nn.Linear(512, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2), nn.Dropout(0.5),
            nn.Linear(256, CLASSES),
        )  # fmt: skip

    def forward(self, positions: Tensor) -> Tensor:
        x, layers = positions.transpose(1, 2).unsqueeze(1), []
        for layer in self.edges:
            x = layer(edges(x, cross=False)).mean(-1)
            layers.append(x)
        invariants = self.frame(with_mean(self.joint(torch.cat(layers, dim=1))))
        return self.classifier(torch.cat([invariants.amax(-1), invariants.mean(-1)], dim=1))


@pytest.mark.parametrize(
    ("name", "plain", "ours"),
    [
        ("VN-PointNet step, 2 x 300 points, strict", PlainVNPointNet, VNPointNet),
        ("VN-DGCNN step, 2 x 300 points, strict", PlainVNDGCNN, VNDGCNN),
    ],
    ids=["vn_pointnet", "vn_dgcnn"],
)
def test_training_step(compare, show_shares, name, plain, ours):
    generator = torch.Generator().manual_seed(0)
    positions = torch.randn(CLOUDS, POINTS, 3, generator=generator)
    labels = torch.randint(CLASSES, (CLOUDS,), generator=generator)
    nodes = positions.flatten(0, 1)
    nothing = torch.empty(len(nodes), 0)
    graph = Graph(nodes, nothing, nothing[:, :, None].expand(-1, -1, 3), torch.empty(0, 0), None, CLOUDS)
    reference, model = plain(), ours(SIGNATURE)
    count = [sum(parameter.numel() for parameter in network.parameters()) for network in (reference, model)]
    assert count[0] == count[1], "the two networks must be the same function"
    step = timing.training_step(model, lambda model: F.cross_entropy(model(graph), labels))
    compare(name, timing.training_step(reference, lambda m: F.cross_entropy(m(positions), labels)), step)
    show_shares(name, step)
