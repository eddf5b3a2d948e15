"""Training steps of the graph networks on a batch of 100 graphs of 5 bodies against plain networks."""

import pytest
import timing
import torch
from plain_networks import PlainEGNN, PlainSEGNN

from trainables.graph import Graph, Signature, complete_topology
from trainables.models.egnn import EGNN
from trainables.models.segnn import SEGNN

GRAPHS, BODIES = 100, 5
NBODY = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")


def step_of(model):
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
    return timing.training_step(model, lambda model: (model(graph) - targets).square().mean())


@pytest.mark.parametrize(
    ("name", "plain", "ours"),
    [
        ("EGNN step, 100 x 5 bodies, strict", PlainEGNN, lambda: EGNN(NBODY)),
        ("SEGNN step, 100 x 5 bodies, strict", PlainSEGNN, lambda: SEGNN(NBODY)),
    ],
    ids=["egnn", "segnn"],
)
def test_training_step(compare, show_shares, name, plain, ours):
    reference, model = plain(), ours()
    count = [sum(parameter.numel() for parameter in network.parameters()) for network in (reference, model)]
    assert count[0] == count[1], "the two networks must be the same function"
    step = step_of(model)
    compare(name, step_of(reference), step)
    show_shares(name, step)
