"""Parameter counts of the public networks, which an incorrect construction would miss."""

import pytest
import torch

from trainables.graph import Signature
from trainables.registry import build
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import relaxed_layers

NBODY = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")


@pytest.mark.parametrize(
    ("model", "signature", "count"),
    [
        ({"name": "egnn", "hidden": 64, "layers": 4}, NBODY, 134_020),
        ({"name": "segnn", "hidden": 32, "layers": 4}, NBODY, 147_424),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_number_of_parameters_matches_the_public_network(model, signature, count):
    network = build("model", model, signature)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_companions_of_segnn_have_the_released_number_of_parameters():
    network = build("model", {"name": "segnn", "hidden": 32, "layers": 4}, NBODY)
    relaxed = relaxed_layers(relax(network, torch.Generator().manual_seed(0)))
    assert sum(layer.companion.weight.numel() for layer in relaxed.values()) == 196_608
