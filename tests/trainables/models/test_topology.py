"""Node features copied to edges and reduced back, for any width."""

import pytest
import torch

from trainables.graph import Topology

# Two graphs of two nodes that send to each other.
PAIRS = Topology(senders=torch.tensor([1, 0, 3, 2]), graphs=2, nodes_per_graph=2, num_senders=1)
# One graph of three nodes, each of which receives from both others.
TRIANGLE = Topology(senders=torch.tensor([1, 2, 0, 2, 0, 1]), graphs=1, nodes_per_graph=3, num_senders=2)


@pytest.mark.parametrize("topology", [PAIRS, TRIANGLE])
@pytest.mark.parametrize("width", [(), (0,), (1,), (3,), (0, 3), (2, 0), (2, 3)])
def test_each_edge_has_the_feature_of_its_receiver(topology, width):
    features = torch.randn(topology.nodes, *width)
    edges = topology.nodes * topology.num_senders
    there = topology.to_edges(features)
    assert there.shape == (edges, *width)
    for edge in range(edges):
        assert torch.equal(there[edge], features[edge // topology.num_senders])
    assert torch.allclose(topology.sum_edges(there), topology.num_senders * features)
    assert topology.sum_edges(there).shape == features.shape
    assert topology.mean_nodes(features).shape == (topology.graphs, *width)


def test_models_written_for_the_first_version_find_the_number_of_senders():
    assert TRIANGLE.degree == TRIANGLE.num_senders
