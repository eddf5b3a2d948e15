"""Fresh networks: every parameter has the distribution from which the public implementation draws it."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from trainables.models.public import NETWORKS
from trainables.models.public_parameters import places_of

GOLDEN = Path(__file__).parent / "golden"


def fresh(name: str) -> dict[str, Tensor]:
    """The entries of each public parameter as one flat tensor; batch-norm statistics too."""
    torch.manual_seed(0)
    factory, signature = NETWORKS[name]
    places = places_of(factory(signature))
    return {key: torch.cat([part.flatten() for part in place.parts]) for key, place in places.items()}


def shapes(name: str) -> dict[str, list[int]]:
    described = json.loads((GOLDEN / f"{name}.json").read_text())
    return {each["name"]: each["shape"] for each in described["parameters"]}


def assert_uniform(key: str, values: Tensor, bound: float) -> None:
    """Assert that values are uniform in [-bound, bound], to within five standard deviations for their number."""
    count, values = len(values), values.double() / bound
    assert values.abs().max() <= 1 + 1e-6, key
    assert values.mean().abs() < 5 / math.sqrt(3 * count), key
    if count > 20:
        assert abs(values.std() * math.sqrt(3) - 1) < 5 * 0.45 / math.sqrt(count), key
        assert values.abs().max() > 1 - 12 / count, key


def fan_in_of(key: str, shapes: dict[str, list[int]]) -> int:
    """The fan-in of one of torch's linear layers, whose bias is drawn like its weight."""
    return shapes[key.removesuffix("bias") + "weight" if key.endswith("bias") else key][1]


def test_egnn():
    sizes, values = shapes("egnn"), fresh("egnn")
    for key in sizes:
        if key.endswith("coord_mlp.2.weight"):
            assert_uniform(key, values[key], 1e-3 * math.sqrt(6 / (64 + 1)))  # Xavier with a gain of 0.001
        else:
            assert_uniform(key, values[key], fan_in_of(key, sizes) ** -0.5)


def test_segnn():
    """Weights are uniform with the fan-in of all paths to their output, biases with that of the scalars."""
    products = json.loads((GOLDEN / "segnn.json").read_text())["tensor_products"]
    values = fresh("segnn")
    for name, product in products.items():
        fan_in = {}
        for path in product["paths"]:
            fan_in[path["out"]] = fan_in.get(path["out"], 0) + path["shape"][0]
        paths = values[f"{name}.weight"].split([math.prod(path["shape"]) for path in product["paths"]])
        for path, weight in zip(product["paths"], paths, strict=True):
            assert_uniform(name, weight, fan_in[path["out"]] ** -0.5)
        if "0e" in product["irreps_out"]:
            biases = f"{name.removesuffix('.tp')}.biases"
            assert_uniform(biases, values[biases], fan_in[0] ** -0.5)


@pytest.mark.parametrize("name", ["vn_pointnet", "vn_dgcnn"])
def test_vector_neurons(name):
    sizes, values = shapes(name), fresh(name)
    for key in sizes:
        if len(sizes[key.removesuffix("bias") + "weight" if key.endswith("bias") else key]) == 1:
            expected = 0.0 if key.endswith("bias") else 1.0
            assert torch.equal(values[key], torch.full_like(values[key], expected)), key
        else:
            assert_uniform(key, values[key], fan_in_of(key, sizes) ** -0.5)
    for key, expected in (("running_mean", 0.0), ("running_var", 1.0), ("num_batches_tracked", 0)):
        statistics = torch.cat([value for each, value in values.items() if each.endswith(key)])
        assert torch.equal(statistics, torch.full_like(statistics, expected))
