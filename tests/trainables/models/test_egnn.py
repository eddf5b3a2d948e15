"""The message whose first layer runs on the nodes, against the perceptron of gathered inputs."""

import pytest
import torch
from torch import nn

from trainables.graph import complete_topology
from trainables.models.egnn import Message

NODES, SENDERS, HIDDEN, EDGE_FEATURES = 6, 2, 5, 3


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def test_message_is_the_perceptron_of_gathered_inputs():
    topology = complete_topology(2, 3, torch.device("cpu"))
    message = Message(HIDDEN, EDGE_FEATURES)
    plain = nn.Sequential(message.first, nn.SiLU(), message.second, nn.SiLU())
    features = torch.randn(NODES, HIDDEN, requires_grad=True)
    edge_features = torch.randn(NODES, SENDERS, EDGE_FEATURES, requires_grad=True)
    receivers = features.unsqueeze(1).expand(-1, SENDERS, -1)
    senders = features[topology.senders].view(NODES, SENDERS, HIDDEN)

    found = message(features, edge_features, topology)
    expected = plain(torch.cat([receivers, senders, edge_features], dim=-1))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

    inputs = [features, edge_features, *message.parameters()]
    probe = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((probe * y).sum(), inputs) for y in (found, expected))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-12, atol=1e-12)
