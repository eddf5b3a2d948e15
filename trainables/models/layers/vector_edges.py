"""A vector neuron on the edges of a nearest-neighbor graph, without ever storing the features of all edges.

The linear maps run on the nodes before the gather: W [x_j - x_i, x_i] is one map of the sender j plus one of
the receiver i. Each node has the same number of neighbors, so edges are visited one neighbor of every node
at a time; only their invariants, a sixth of their features, are stored. Features and directions are stored as
(2, 3, nodes, channels), so that all elementwise work is on contiguous blocks of (nodes, channels).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from trainables.graph import Topology
from trainables.models.layers.vector_neuron import VectorActivation
from trainables.relaxation.representation import vectors


class EdgeVectorLinear(nn.Linear):
    """The linear map of [x_j - x_i, x_i] on edge j -> i, as a map of nodes.

    (..., 3, channels_in) -> (..., 3, 2 * channels_out): a node's contribution as sender, then as receiver.
    The weight (channels_out, 2 * channels_in) is that of the map on edges.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(2 * channels_in, channels_out, bias=False)
        self.representation_in = vectors(channels_in, group="SO3")
        self.representation_out = vectors(2 * channels_out, group="SO3")

    def channel_map(self) -> Tensor:
        """The map of the channels of the nodes, (2 * channels_out, channels_in)."""
        difference, center = self.weight.chunk(2, dim=1)
        return torch.cat([difference, center - difference])

    @torch.no_grad()
    def add_channel_map(self, degree: int, matrix: Tensor) -> None:
        """Add a map of the channels of the nodes, (2 * channels_out, channels_in), in place."""
        as_sender, as_receiver = matrix.chunk(2)
        # The weight [D, C] acts on [x_j - x_i, x_i], which is D x_j + (C - D) x_i: a map of x_j goes into both.
        self.weight += torch.cat([as_sender, as_sender + as_receiver], dim=1)

    def forward(self, nodes: Tensor) -> Tensor:
        """(..., 3, channels_in) -> (..., 3, 2 * channels_out)"""
        return nn.functional.linear(nodes, self.channel_map())


class EdgeVectorNeuron(nn.Module):
    """Linear map of [x_j - x_i, x_i], activation, mean over the neighbors j of i."""

    def __init__(self, channels_in: int, channels_out: int, slope: float) -> None:
        super().__init__()
        self.linear = EdgeVectorLinear(channels_in, 2 * channels_out)
        self.activation = VectorActivation(channels_out, slope)

    def forward(self, nodes: Tensor, topology: Topology) -> Tensor:
        """(clouds, points, 3, channels_in) -> (clouds, points, 3, channels_out)."""
        mapped = self.linear(nodes).view(topology.nodes, 3, 2, 2, -1)
        senders, receivers = mapped.permute(2, 3, 1, 0, 4).contiguous()
        rows = component_rows(topology)
        factors = self.activation.factors(*EdgeInvariants.apply(senders, receivers, rows))
        pooled = EdgeMean.apply(senders, receivers, rows, *factors)
        return pooled.transpose(0, 1).unflatten(0, nodes.shape[:2])


def component_rows(topology: Topology) -> Tensor:
    """(senders, 6 * nodes): for each neighbor, the indices of its six components in (2, 3, nodes) flattened."""
    neighbors = topology.senders.view(topology.nodes, topology.num_senders).T
    components = topology.nodes * torch.arange(6, device=neighbors.device)
    return (neighbors[:, None] + components[:, None]).flatten(1)


def edge_features(senders: Tensor, receivers: Tensor, rows: Tensor) -> Iterator[Tensor]:
    """For each neighbor, p and d on its edges, (2, 3, nodes, channels), in one buffer that is overwritten."""
    edges = torch.empty_like(receivers)
    for neighbor in rows:
        torch.index_select(senders.flatten(0, 2), 0, neighbor, out=edges.flatten(0, 2))
        yield edges.add_(receivers)


def dot(left: Tensor, right: Tensor, out: Tensor) -> None:
    """The dot products over the first axis of (3, nodes, channels), written into out (nodes, channels)."""
    torch.mul(left[0], right[0], out=out).addcmul_(left[1], right[1]).addcmul_(left[2], right[2])


class EdgeInvariants(Function):
    """<p, p>, <p, d> and <d, d> on all edges, (senders, nodes, channels) each.

    Args:
        senders, receivers: (2, 3, nodes, channels), p and d of an edge being sender plus receiver.
        rows: Result of `component_rows`.
    """

    @staticmethod
    def forward(ctx: Any, senders: Tensor, receivers: Tensor, rows: Tensor) -> tuple[Tensor, ...]:
        pp, pd, dd = (senders.new_empty(len(rows), *senders.shape[2:]) for _ in range(3))
        for slot, (p, d) in enumerate(edge_features(senders, receivers, rows)):
            dot(p, p, out=pp[slot])
            dot(p, d, out=pd[slot])
            dot(d, d, out=dd[slot])
        ctx.save_for_backward(senders, receivers, rows)
        return pp, pd, dd

    @staticmethod
    def backward(ctx: Any, grad_pp: Tensor, grad_pd: Tensor, grad_dd: Tensor) -> tuple[Tensor | None, ...]:
        senders, receivers, rows = ctx.saved_tensors
        grad_senders, grad_receivers = torch.zeros_like(senders), torch.zeros_like(receivers)
        grad_edges = torch.empty_like(receivers)
        grad_p, grad_d = grad_edges
        for slot, (p, d) in enumerate(edge_features(senders, receivers, rows)):
            torch.mul(p, 2 * grad_pp[slot], out=grad_p).addcmul_(d, grad_pd[slot])
            torch.mul(d, 2 * grad_dd[slot], out=grad_d).addcmul_(p, grad_pd[slot])
            grad_receivers += grad_edges
            grad_senders.flatten(0, 2).index_add_(0, rows[slot], grad_edges.flatten(0, 2))
        return grad_senders, grad_receivers, None


class EdgeMean(Function):
    """The mean of scale p + push d over the edges of each node, (3, nodes, channels).

    Args:
        senders, receivers, rows: As in EdgeInvariants.
        scale, push: (senders, nodes, channels).
    """

    @staticmethod
    def forward(
        ctx: Any, senders: Tensor, receivers: Tensor, rows: Tensor, scale: Tensor, push: Tensor
    ) -> Tensor:
        total = torch.zeros_like(receivers[0])
        for slot, (p, d) in enumerate(edge_features(senders, receivers, rows)):
            total.addcmul_(p, scale[slot]).addcmul_(d, push[slot])
        ctx.save_for_backward(senders, receivers, rows, scale, push)
        return total.div_(len(rows))

    @staticmethod
    def backward(ctx: Any, grad_mean: Tensor) -> tuple[Tensor | None, ...]:
        senders, receivers, rows, scale, push = ctx.saved_tensors
        grad_edge = grad_mean.contiguous() / len(rows)
        grad_scale, grad_push = torch.empty_like(scale), torch.empty_like(push)
        grad_senders = torch.zeros_like(senders)
        grad_edges = torch.empty_like(receivers)
        for slot, (p, d) in enumerate(edge_features(senders, receivers, rows)):
            dot(grad_edge, p, out=grad_scale[slot])
            dot(grad_edge, d, out=grad_push[slot])
            torch.mul(grad_edge, scale[slot], out=grad_edges[0])
            torch.mul(grad_edge, push[slot], out=grad_edges[1])
            grad_senders.flatten(0, 2).index_add_(0, rows[slot], grad_edges.flatten(0, 2))
        grad_receivers = torch.stack([grad_edge * scale.sum(0), grad_edge * push.sum(0)])
        return grad_senders, grad_receivers, None, grad_scale, grad_push
