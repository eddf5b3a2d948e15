"""SE(3)-Transformer: Fuchs, Worrall, Fischer and Welling 2020 (arXiv 2006.10503).

From the paper: a node attends to its neighbors (equations 10 and 11). Keys and values are tensor-field
kernels of the relative position, applied to the sender's features, with harmonics of every degree that
couples two feature degrees; queries are linear in the receiver's own features; the softmax over the senders
is of the invariant product of query and key, and each head has its own channels. The networks of the distance
that weight a kernel also see the scalars of the edge. A node's own features enter through a linear map of
each degree.

Our changes: features have the parity of the spherical harmonics, so that inversions are a symmetry too; a
kernel has a radial function for each path and channel between two matrices, as in later networks, instead of
a radial function for each entry of a matrix; radial networks see exponential-normal functions of the
distance; logits are divided by the square root of the number of a head's features; features are normed before
each layer, and each layer adds to them; its update is a linear map, gates and another linear map, whereas the
paper has a self-interaction, linear or attentive, and a nonlinearity of the norm; the gates use squares
instead of norms, so that the network is smooth and forces can be its gradient; all degrees have the same
number of channels; the output is read off the last features without pooling higher degrees. The widths and
depths of the paper's experiments are options, not defaults. We did not run public code of the paper for
comparison: results under this name are those of this network.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.graph import Graph, Signature, Topology
from trainables.models.layers.depthwise import (
    Couplings,
    DegreeLinear,
    DegreeNorm,
    coupling_paths,
    degree_of_component,
    embed_nodes,
)
from trainables.models.layers.inputs import (
    check_num_neighbors,
    count_invariants,
    relative_positions,
    with_topology,
)
from trainables.models.layers.perceptron import perceptron
from trainables.models.layers.radial import ExponentialNormal
from trainables.models.layers.tensor_field import Attention, Convolution

Count = Annotated[int, Field(ge=1)]


class SE3Transformer(nn.Module):
    """Layers in which each node attends to its neighbors, with keys and values from equivariant kernels.

    Nodes must not coincide with their neighbors: the direction would be undefined.

    Args:
        signature: "vectors" gives (nodes, 3); "scalars" gives (graphs, outputs), the mean over the nodes.
        channels: Number of channels of each degree from 0 to `degree`; divided among `heads`.
        heads: Number of attention heads; left out without attention.
        attention: Without it, the mean over the neighbors is taken, which makes this a tensor-field network
            (Thomas et al. 2018, arXiv 1802.08219).
        radial, radial_hidden, length: Number of radial functions, width of the networks applied to them, and
            their length scale in units of the positions.
        num_neighbors: Number of nearest neighbors if the graph has no edges.
    """

    embedding_layers = ("embed_scalars", "embed_vectors")
    read_out_layers = ("read_out", "read_out.2")
    relax_default = ("layers.*.update.mix", "layers.*.update.project")
    relax_companion = "linear"

    def __init__(
        self,
        signature: Signature,
        *,
        channels: Count = 16,
        degree: Count = 2,
        layers: Count = 4,
        heads: Count = 4,
        attention: bool = True,
        radial: Annotated[int, Field(ge=2)] = 16,
        radial_hidden: Count = 32,
        length: Annotated[float, Field(gt=0)] = 1.0,
        num_neighbors: Count = 16,
    ) -> None:
        super().__init__()
        check_num_neighbors(signature, num_neighbors, default=16)
        if not attention and heads != 4:
            raise BadInput("model.heads: has no effect with model.attention: false; remove it")
        if attention and channels % heads:
            raise BadInput(f"model.channels: {channels} cannot be divided among {heads} heads")
        self.num_neighbors = num_neighbors
        self.couplings = Couplings(degree)
        self.products = [(2 * out + 1) * len(paths) for out, paths in enumerate(coupling_paths(degree))]
        self.radial_basis = ExponentialNormal(radial, length)
        self.embed_scalars = nn.Linear(count_invariants(signature), channels)
        self.embed_vectors = nn.Linear(signature.vectors, channels, bias=False) if signature.vectors else None

        def kernel() -> Attention | Convolution:
            sizes = (channels, degree, radial + signature.edge_scalars, radial_hidden)
            return Attention(*sizes, heads) if attention else Convolution(*sizes)

        self.layers = nn.ModuleList(Layer(kernel(), Update(channels, degree)) for _ in range(layers))
        self.norm = DegreeNorm(channels, degree)
        if signature.output == "vectors":
            self.read_out: nn.Module = nn.Linear(channels, 1, bias=False)
        else:
            self.read_out = perceptron(channels, channels, signature.outputs)
        self.output = signature.output

    def forward(self, graph: Graph) -> Tensor:
        """(nodes, 3), a vector of each node, or (graphs, outputs)."""
        graph, topology = with_topology(graph, self.num_neighbors)
        differences = relative_positions(graph.positions, topology).flatten(0, 1)
        by_degree = self.couplings(differences)[1].split(self.products, dim=-1)
        couplings = [coupling.transpose(1, 2).contiguous() for coupling in by_degree]
        radial = self.radial_basis(differences.norm(dim=-1, keepdim=True))
        edges = torch.cat([radial, graph.edge_scalars], dim=-1)
        x = embed_nodes(graph, self.embed_scalars, self.embed_vectors, self.couplings.components)
        for layer in self.layers:
            x = layer(x, couplings, edges, topology)
        x = self.norm(x)
        if self.output == "vectors":
            return self.read_out(x[:, 1:4]).squeeze(-1)
        return topology.mean_nodes(self.read_out(x[:, 0]))


class Layer(nn.Module):
    """The message from the normed features of the neighbors, and the update that follows."""

    def __init__(self, receive: Attention | Convolution, update: "Update") -> None:
        super().__init__()
        self.norm = DegreeNorm(update.channels, update.degree)
        self.receive, self.update = receive, update

    def forward(self, x: Tensor, couplings: list[Tensor], edges: Tensor, topology: Topology) -> Tensor:
        """(nodes, components, channels) -> the same"""
        normed = self.norm(x)
        received = self.receive(normed, couplings, edges, topology)
        return x + self.update(torch.cat([normed, received], dim=-1))


class Update(nn.Module):
    """A linear map of a node's own and received features, gates, and another linear map.

    (nodes, components, 2 * channels) -> (nodes, components, channels)
    """

    def __init__(self, channels: int, degree: int) -> None:
        super().__init__()
        self.channels, self.degree = channels, degree
        self.mix = DegreeLinear(2 * channels, channels, degree)
        self.gates = Gates(channels, degree)
        self.project = DegreeLinear(channels, channels, degree)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.gates(self.mix(x)))


class Gates(nn.Module):
    """Each channel of each degree times the sigmoid of a function of all invariants.

    Invariants are the scalars, and the mean squares of the components of the other degrees.
    """

    def __init__(self, channels: int, degree: int) -> None:
        super().__init__()
        self.linear = nn.Linear((degree + 1) * channels, (degree + 1) * channels)
        self.register_buffer("degrees", degree_of_component(degree), persistent=False)
        self.sizes = [2 * above + 1 for above in range(1, degree + 1)]

    def forward(self, x: Tensor) -> Tensor:
        """(nodes, components, channels) -> the same"""
        squares = [block.square().mean(1) for block in x[:, 1:].split(self.sizes, dim=1)]
        gates = self.linear(torch.cat([x[:, 0], *squares], dim=-1)).sigmoid()
        return x * gates.unflatten(-1, (-1, x.shape[-1])).index_select(1, self.degrees)
