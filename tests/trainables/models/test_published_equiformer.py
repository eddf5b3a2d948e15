"""Equiformer with the widths of the paper: its size, its relaxed layers, and the options it refuses."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from contract import random_graph, relative_difference

from trainables.errors import BadInput
from trainables.graph import Signature, complete_topology
from trainables.models.equiformer_choice import equiformer
from trainables.models.layers.by_degree_attention import GraphAttention
from trainables.registry import build, resolve
from trainables.relaxation.project import project
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import relaxed_layers

PUBLISHED = 3_496_001
ELEMENTS = Signature(scalars=64, vectors=0, edge_scalars=0, output="scalars")
MOLECULE = Signature(scalars=4, vectors=0, edge_scalars=0, output="scalars")
SMALL = {"channels": [8, 4, 2], "layers": 2, "heads": 2, "logits": 4, "expansion": 2, "features": 6}


@pytest.fixture
def float64():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def size(signature: Signature, **options) -> int:
    model = equiformer(signature, channels=[128, 64, 32], features=512, **options)
    return sum(parameter.numel() for parameter in model.parameters())


def test_with_the_published_features_it_has_the_published_size():
    assert size(ELEMENTS, inversion=False) == PUBLISHED - 128


def test_only_paths_that_would_break_inversion_are_missing():
    assert size(ELEMENTS) == PUBLISHED - 128 - (6 * 31_104 + 21_696)


def test_the_preset_has_the_size_that_it_states():
    path = Path(import_module("study").__file__).parent / "presets" / "md17-equiformer.yaml"
    text = path.read_text()
    model = build("model", resolve("model", yaml.safe_load(text)["model"]), MOLECULE)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == size(MOLECULE)
    assert f"{count:,} parameters on four elements" in text


@pytest.mark.usefixtures("float64")
def test_attention_of_each_head_sums_to_one():
    attention = GraphAttention([4, 2], heads=2, logits=3, radial_sizes=(5, 6), inversion=True)
    topology = complete_topology(2, 4, torch.device("cpu"))
    weights = attention.attention(torch.randn(24, 6), topology)
    torch.testing.assert_close(topology.sum_edges(weights), torch.ones(8, 2))


@pytest.mark.usefixtures("float64")
def test_a_message_carries_the_features_of_its_sender():
    signature = replace(MOLECULE, output="vectors")
    graph = random_graph(signature, 1, 4, seed=0)
    model = equiformer(signature, **{**SMALL, "layers": 1, "features": 0})
    changed = graph.scalars.clone()
    changed[1] += 1
    moved = (model(replace(graph, scalars=changed)) - model(graph)).norm(dim=-1)
    assert moved.min() > 1e-6


@pytest.mark.usefixtures("float64")
def test_relaxation_runs_beside_the_feed_forward_and_leaves_no_trace():
    model, graph = equiformer(MOLECULE, **SMALL), random_graph(MOLECULE, 2, 4, seed=0)
    strict = model(graph)
    relaxed = relax(model, torch.Generator().manual_seed(0))
    layers = {layer.name: layer for layer in relaxed_layers(relaxed).values()}
    assert list(layers) == ["blocks.0.feed_forward", "blocks.1.feed_forward"]
    # 8 scalars, 4 vectors and 2 of degree 2 go in and, except in the last block with its 6 features, out.
    sizes = [
        [sum(each.dim for each in part) for part in (layer.inputs, layer.outputs)]
        for layer in layers.values()
    ]
    assert sizes == [[30, 30], [30, 6]]
    assert relative_difference(relaxed(graph), strict) > 1e-6
    assert torch.equal(project(relaxed)(graph), strict)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("pattern", ["blocks.*.attention.sender", "blocks.*.attention.message.mix"])
def test_linear_maps_can_be_relaxed_linearly(pattern):
    model, graph = equiformer(MOLECULE, **SMALL), random_graph(MOLECULE, 2, 4, seed=0)
    strict = model(graph)
    relax(model, torch.Generator().manual_seed(0), layers=[pattern], companion="linear", init=0.1)
    assert len(relaxed_layers(model)) == 2
    assert relative_difference(model(graph), strict) > 1e-6
    assert torch.equal(project(model)(graph), strict)


def test_a_single_number_of_channels_keeps_its_description():
    """Ids of old trials depend on it."""
    described = resolve("model", {"name": "equiformer"})
    assert described["channels"] == 64
    assert not {"features", "inversion", "revision"} & set(described)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [8, 4]}, r"^model\.channels: 2 numbers, but degrees 0 to 2 need 3; .*model\.degree$"),
        ({"channels": [8, 4, 3]}, r"^model\.channels: 3 cannot be divided among 4 heads$"),
        ({"features": 8}, r"^model\.features: needs a list of channels, such as .*$"),
        ({"inversion": False}, r"^model\.inversion: needs a list of channels, such as .*$"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises(BadInput, match=message):
        equiformer(MOLECULE, **options)


@pytest.mark.parametrize("channels", [0, [8, 0, 4], [], "many", 2.5, [8, "4", 4]])
def test_channels_are_a_number_or_a_list_of_them(channels):
    with pytest.raises(BadInput, match=r"^model\.channels: write a whole number of at least 1, or a list"):
        resolve("model", {"name": "equiformer", "channels": channels})
