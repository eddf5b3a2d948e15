"""Training steps of the graph networks on a batch of 100 graphs of 5 bodies against plain networks."""

import pytest
import timing
import torch
from plain_networks import PlainEGNN, PlainSEGNN

from trainables.graph import Graph, Signature, complete_topology
from trainables.models.egnn import EGNN
from trainables.models.se3_transformer import SE3Transformer
from trainables.models.segnn import SEGNN
from trainables.training.compiling import compile_network

GRAPHS, BODIES = 100, 5
NBODY = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")


def step_of(model, make_step=timing.training_step, **options):
    generator = torch.Generator().manual_seed(0)
    topology = complete_topology(GRAPHS, BODIES, torch.device("cpu"))
    shape = (topology.nodes, 3)
    graph = Graph(
        positions=torch.randn(shape, generator=generator),
        scalars=torch.zeros(topology.nodes, 0),
        vectors=torch.randn(topology.nodes, 1, 3, generator=generator),
        edge_scalars=torch.randn(len(topology.senders), 1, generator=generator).sign(),
        topology=topology,
        graphs=GRAPHS,
    )
    targets = torch.randn(shape, generator=generator)
    return make_step(model, lambda model: (model(graph) - targets).square().mean(), **options)


@pytest.mark.parametrize(
    ("name", "plain", "ours"),
    [("EGNN", PlainEGNN, EGNN), ("SEGNN", PlainSEGNN, SEGNN)],
    ids=["egnn", "segnn"],
)
def test_strict_step(compare, show_shares, name, plain, ours):
    reference, model = plain(), ours(NBODY)
    count = [sum(parameter.numel() for parameter in network.parameters()) for network in (reference, model)]
    assert count[0] == count[1], "the two networks must be the same function"
    step = step_of(model)
    # Public code leaves Adam at its default, which loops over the parameters one by one on a CPU.
    compare(f"{name} step, 100 x 5 bodies", step_of(reference, fused=False), step)
    show_shares(f"{name} step", step)


@pytest.mark.parametrize(("name", "model"), [("EGNN", EGNN), ("SEGNN", SEGNN)], ids=["egnn", "segnn"])
def test_price_of_relaxation(compare, show_shares, name, model):
    step = step_of(model(NBODY), timing.relaxed_step)
    compare(f"{name} step, relaxed with penalties, against strict", step_of(model(NBODY)), step)
    show_shares(f"{name} step, relaxed", step)


@pytest.mark.parametrize(
    ("name", "plain", "ours"),
    [("EGNN", PlainEGNN, EGNN), ("SEGNN", PlainSEGNN, SEGNN)],
    ids=["egnn", "segnn"],
)
def test_compiled_step(compare, name, plain, ours):
    model = ours(NBODY)
    compile_network(model)
    compare(f"{name} step, compiled", step_of(plain(), fused=False), step_of(model))


@pytest.mark.parametrize(("name", "model"), [("EGNN", EGNN), ("SEGNN", SEGNN)], ids=["egnn", "segnn"])
def test_price_of_relaxation_compiled(compare, name, model):
    relaxed = step_of(model(NBODY), timing.relaxed_step, prepare=compile_network)
    strict = model(NBODY)
    compile_network(strict)
    compare(f"{name} step, relaxed and compiled, against compiled strict", step_of(strict), relaxed)


def test_egnn_against_its_bare_products(compare):
    """The lower bound: only the matrix products and SiLUs of the step, forward and backward."""
    hidden, layers, nodes, edges = 64, 4, GRAPHS * BODIES, GRAPHS * BODIES * (BODIES - 1)
    weight = torch.randn(hidden, hidden)
    of_nodes, of_edges = torch.randn(nodes, hidden), torch.randn(edges, hidden)

    def bare():
        # On nodes: receiver, sender, velocity, and two of the update, of which one is twice as wide.
        for rows, products, activations in ((of_nodes, 6, 2), (of_edges, 2, 3)):
            for _ in range(layers * products):
                forward = rows @ weight
                forward @ weight.T
                rows.T @ forward
            for _ in range(layers * activations):
                torch.ops.aten.silu_backward(torch.nn.functional.silu(rows), rows)

    compare("EGNN step against its bare products", bare, step_of(EGNN(NBODY)))


def test_se3_transformer_step(compare, show_shares):
    step = step_of(SE3Transformer(NBODY))
    compare("SE(3)-Transformer step against SEGNN's", step_of(SEGNN(NBODY)), step)
    show_shares("SE(3)-Transformer step", step)
