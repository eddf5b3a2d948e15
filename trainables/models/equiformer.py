"""Equiformer (Liao and Smidt 2023, arXiv 2206.11990): equivariant graph attention with non-linear messages.

Smaller and faster than the network of the paper, which is in `published_equiformer`; `equiformer_choice` has the
options of both.

The blocks, the attention with its two products and the gate between them, the norm and the feed-forward are
from the paper. Our changes: every degree has the same number of channels (as in the authors' second version,
arXiv 2306.12059); features have the parity of the spherical harmonics, so that inversions are a symmetry too;
the linear map after the second product acts after the sum over neighbors, with which it commutes as long as a
channel belongs to one head, and doubles as the projection; radial networks have no norms and gates no scales;
harmonics enter the embedding without a product; the head reads as many scalars as every layer has.
"""

import torch
from torch import Tensor, nn

from trainables.graph import Graph, Signature, Topology
from trainables.models.layers.depthwise import (
    Couplings,
    DegreeLinear,
    DegreeNorm,
    PathLinear,
    degree_features,
    degree_of_component,
    embed_nodes,
)
from trainables.models.layers.inputs import (
    count_invariants,
    relative_positions,
    with_topology,
)
from trainables.models.layers.perceptron import perceptron, smooth_leaky_relu
from trainables.models.layers.radial import ExponentialNormal, radial_network


class Equiformer(nn.Module):
    """Embedding, blocks of attention and feed-forward, norm, and a head on the invariants.

    The other options are those of `equiformer_choice.equiformer`. Nodes must not coincide with their
    neighbors: the direction would be undefined.

    Args:
        channels: Number of channels of each degree from 0 to `degree`; divided among `heads`.
    """

    embedding_layers = ("embedding.scalars", "embedding.vectors")
    read_out_layers = ("head.2",)
    relax_default = ("blocks.*.feed_forward",)
    relax_companion = "feed_forward"

    def __init__(
        self,
        signature: Signature,
        *,
        channels: int = 64,
        degree: int = 2,
        layers: int = 6,
        heads: int = 4,
        logits: int = 32,
        expansion: int = 3,
        radial: int = 32,
        radial_hidden: int = 64,
        length: float = 1.0,
        num_neighbors: int = 20,
    ) -> None:
        super().__init__()
        self.signature, self.num_neighbors = signature, num_neighbors
        self.couplings = Couplings(degree)
        self.radial_basis = ExponentialNormal(radial, length)
        edge_inputs = radial + signature.edge_scalars
        self.embedding = Embedding(signature, channels, degree, edge_inputs, radial_hidden)
        self.blocks = nn.ModuleList(
            Block(
                GraphAttention(channels, degree, heads, logits, edge_inputs, radial_hidden),
                FeedForward(channels, degree, expansion),
                channels,
                degree,
            )
            for _ in range(layers)
        )
        self.norm = DegreeNorm(channels, degree)
        outputs = signature.outputs if signature.output == "scalars" else channels
        self.head = perceptron(channels, channels, outputs)

    def forward(self, graph: Graph) -> Tensor:
        """(nodes, 3), each node's vectors weighted by functions of its scalars, or (graphs, outputs)."""
        graph, topology = with_topology(graph, self.num_neighbors)
        relative = relative_positions(graph.positions, topology).flatten(0, 1)
        harmonics, couplings = self.couplings(relative)
        radial = self.radial_basis(relative.norm(dim=-1, keepdim=True))
        edges = torch.cat([radial, graph.edge_scalars], -1)

        x = self.embedding(graph, harmonics, edges, topology)
        for block in self.blocks:
            x = block(x, couplings, edges, topology)
        x = self.norm(x)
        invariants = self.head(x[:, 0])
        if self.signature.output == "scalars":
            return topology.sum_nodes(invariants) / topology.nodes_per_graph**0.5
        return (x[:, 1:4] * invariants.unsqueeze(1)).mean(-1)


class Embedding(nn.Module):
    """The node's own features plus the harmonics of its edges, weighted by their radial functions (section 4.4)."""

    degrees: Tensor

    def __init__(
        self, signature: Signature, channels: int, degree: int, edge_inputs: int, radial_hidden: int
    ) -> None:
        super().__init__()
        self.scalars = nn.Linear(count_invariants(signature), channels)
        self.vectors = nn.Linear(signature.vectors, channels, bias=False) if signature.vectors else None
        self.edges = radial_network(edge_inputs, radial_hidden, (degree + 1) * channels)
        self.register_buffer("degrees", degree_of_component(degree), persistent=False)

    def forward(self, graph: Graph, harmonics: Tensor, edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, components, channels)"""
        weights = self.edges(edges).unflatten(-1, (-1, self.scalars.out_features))
        x = topology.sum_edges(harmonics.unsqueeze(-1) * weights.index_select(1, self.degrees))
        own = embed_nodes(graph, self.scalars, self.vectors, len(self.degrees))
        return topology.divided_by_root(x) + own


class Block(nn.Module):
    """Attention and feed-forward, each applied to normed features, with a residual connection (figure 1)."""

    def __init__(
        self, attention: "GraphAttention", feed_forward: "FeedForward", channels: int, degree: int
    ) -> None:
        super().__init__()
        self.attention_norm, self.attention = DegreeNorm(channels, degree), attention
        self.feed_forward_norm, self.feed_forward = DegreeNorm(channels, degree), feed_forward

    def forward(self, x: Tensor, couplings: Tensor, edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, components, channels) -> the same"""
        x = x + self.attention(self.attention_norm(x), couplings, edges, topology)
        return x + self.feed_forward(self.feed_forward_norm(x))


class GraphAttention(nn.Module):
    """Messages from two depth-wise products with a gate between them, weighted by attention (section 4.3)."""

    def __init__(
        self, channels: int, degree: int, heads: int, logits: int, edge_inputs: int, radial_hidden: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.receiver = DegreeLinear(channels, channels, degree)
        self.sender = DegreeLinear(channels, channels, degree)
        self.scalars = [heads * logits, (degree + 1) * channels]
        self.message = PathLinear(channels, [sum(self.scalars), *(channels for _ in range(degree))])
        self.radial = radial_network(edge_inputs, radial_hidden, sum(self.message.widths))
        self.alignment = nn.Parameter(torch.randn(heads, logits) / logits**0.5)
        self.project = PathLinear(channels, [channels] * (degree + 1))
        self.register_buffer("degrees", degree_of_component(degree), persistent=False)

    def forward(self, x: Tensor, couplings: Tensor, edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, components, channels) -> the same"""
        pairs = topology.to_edges(self.receiver(x)) + self.sender(x).index_select(0, topology.senders)
        scalars, *others = self.message(couplings.transpose(1, 2) @ pairs, self.radial(edges))
        logits, gates = scalars.squeeze(1).split(self.scalars, -1)
        gates = gates.unflatten(-1, (len(others) + 1, -1))
        values = torch.cat([gates[:, :1], *others], 1)

        # Gate and attention are multiplied while both are small. Scalars gate themselves, which is SiLU.
        attention = self.attention(logits, topology)[:, None, :, None]
        factors = (torch.sigmoid(gates).unflatten(-1, (self.heads, -1)) * attention).flatten(2)
        values = values * factors.index_select(1, self.degrees)

        # One matrix product for each node is both the second tensor product and the sum over its edges.
        by_node = couplings.reshape(topology.nodes, -1, couplings.shape[-1]).transpose(1, 2)
        return torch.cat(self.project(by_node @ values.reshape(topology.nodes, -1, values.shape[-1])), 1)

    def attention(self, logits: Tensor, topology: Topology) -> Tensor:
        """(edges, heads * logits) -> (edges, heads), which sum to one over the edges that a node receives."""
        aligned = (smooth_leaky_relu(logits.unflatten(-1, (self.heads, -1))) * self.alignment).sum(-1)
        by_receiver = aligned.unflatten(0, (topology.nodes, topology.num_senders))
        return topology.softmax_senders(by_receiver).flatten(0, 1)


class FeedForward(nn.Module):
    """Linear, gate, linear."""

    degrees: Tensor

    def __init__(self, channels: int, degree: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * channels
        self.expand = DegreeLinear(channels, hidden, degree)
        self.gates = nn.Linear(channels, degree * hidden)
        self.contract = DegreeLinear(hidden, channels, degree)
        self.register_buffer("degrees", degree_of_component(degree), persistent=False)
        self.representation_in = self.representation_out = degree_features(channels, degree)

    def forward(self, x: Tensor) -> Tensor:
        """(nodes, components, channels) -> the same"""
        hidden = self.expand(x)
        gates = self.gates(x[:, 0]).unflatten(-1, (-1, hidden.shape[-1]))
        gates = torch.sigmoid(torch.cat([hidden[:, :1], gates], 1))
        return self.contract(hidden * gates.index_select(1, self.degrees))
