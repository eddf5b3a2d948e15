"""Our networks against golden values of the public ones, and against plain references with other weights."""

import json
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import pytest
import reference_networks
import torch
from torch import Tensor

from trainables.errors import BadInput
from trainables.graph import Graph, complete_topology
from trainables.models.public import load
from trainables.models.public_parameters import places_of

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["egnn", "segnn", "vn_pointnet", "vn_dgcnn"]
# Our vector neurons differ from the public ones only by a floor of 1e-16 under the square root of a length.
TOLERANCE = {"egnn": 1e-12, "segnn": 1e-12, "vn_pointnet": 1e-9, "vn_dgcnn": 1e-9}

Draw = Callable[[int, int], np.ndarray]
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def golden_hash(parameter: int, count: int) -> np.ndarray:
    """(count,) in [0, 1): the integer hash of the golden files."""
    bits = np.uint64(2**32 - 1)
    x = (np.uint64(2654435761) * np.arange(count, dtype=np.uint64) + np.uint64(40503 * parameter)) & bits
    x ^= x >> np.uint64(16)
    x = (np.uint64(73244475) * x) & bits
    x ^= x >> np.uint64(16)
    return x / 2**32


def second_hash(parameter: int, count: int) -> np.ndarray:
    """(count,) in [0, 1): an integer hash that has nothing in common with the golden one."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64((parameter + 1) * 0x2545F4914F6CDD1D % 2**64)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(32)
    return (x >> np.uint64(11)) / 2**53


def weights(name: str, draw: Draw) -> State:
    """The state dict that the golden file describes, with numbers from `draw`."""
    described = json.loads((GOLDEN / f"{name}.json").read_text())["parameters"]
    return {
        each["name"]: torch.tensor(
            each["amplitude"] * np.sqrt(3) * (2 * draw(index, prod(each["shape"])) - 1)
        ).view(each["shape"])
        for index, each in enumerate(described)
    }


def golden(name: str) -> tuple[tuple[Tensor, ...], Tensor]:
    """Inputs and outputs of the public network; for networks of particles the outputs are displacements."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: torch.tensor(value) for key, value in file.items()}
    if name == "egnn":
        arrays["displacements"] = arrays["final_positions"] - arrays["positions"]
    if name in ("egnn", "segnn"):
        return tuple(arrays[key] for key in ("positions", "velocities", "charges")), arrays["displacements"]
    return (arrays["points"],), arrays["log_probabilities" if name == "vn_pointnet" else "logits"]


def other_inputs(name: str) -> tuple[Tensor, ...]:
    """Inputs other than the golden ones."""
    generator = torch.Generator().manual_seed(3)
    if name in ("egnn", "segnn"):
        positions, velocities = torch.randn(2, 3, 4, 3, generator=generator).unbind(0)
        return positions, velocities, torch.randn(3, 4, 1, generator=generator)
    return (torch.randn(2, 30, 3, generator=generator),)


def ours(name: str, state: State, inputs: tuple[Tensor, ...]) -> Tensor:
    """The output of the loaded network, in the form of the public one's."""
    network = load(name, state)
    positions = inputs[0].flatten(0, 1)
    graphs, nodes, _ = inputs[0].shape
    none = positions.new_empty(len(positions), 0)
    if name in ("egnn", "segnn"):
        topology = complete_topology(graphs, nodes, torch.device("cpu"))
        charges = inputs[2].flatten(0, 1)
        products = topology.to_edges(charges) * charges[topology.senders]
        graph = Graph(positions, none, inputs[1].flatten(0, 1).unsqueeze(1), products, topology, graphs)
        return network(graph).view_as(inputs[0])
    graph = Graph(positions, none, none[..., None].expand(-1, -1, 3), none[:0], None, graphs)
    answer = network(graph)
    return answer.log_softmax(-1) if name == "vn_pointnet" else answer


def with_statistics(state: State) -> State:
    """The state with batch-norm statistics added, as a trained network has them."""
    statistics = {}
    for index, (key, bias) in enumerate(state.items()):
        if "bn" in key and key.endswith(".bias"):
            numbers = torch.tensor(second_hash(1000 + index, len(bias)))
            statistics[key.replace(".bias", ".running_mean")] = numbers - 0.3
            statistics[key.replace(".bias", ".running_var")] = numbers + 0.5
            statistics[key.replace(".bias", ".num_batches_tracked")] = torch.tensor(7)
    return {**state, **statistics}


@pytest.mark.parametrize("name", NAMES)
def test_golden_outputs(name):
    inputs, expected = golden(name)
    found = ours(name, weights(name, golden_hash), inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE[name])


@pytest.mark.parametrize("name", NAMES)
def test_references_have_the_golden_outputs(name):
    inputs, expected = golden(name)
    found = getattr(reference_networks, name)(weights(name, golden_hash), *inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_other_weights_and_inputs(name):
    state, inputs = with_statistics(weights(name, second_hash)), other_inputs(name)
    expected = getattr(reference_networks, name)(state, *inputs)
    assert expected.std() > 1e-2
    torch.testing.assert_close(ours(name, state, inputs), expected, rtol=0, atol=TOLERANCE[name])


def scaled_down(name: str, hidden: dict[int, int], layers: int) -> State:
    """The state of a smaller network: sizes replaced according to `hidden`, and only the first `layers` layers."""
    state = {}
    for index, (key, full) in enumerate(weights(name, second_hash).items()):
        layer = next((int(part) for part in key.replace("gcl_", "").split(".") if part.isdigit()), 0)
        if layer < layers or (name == "segnn" and not key.startswith("layers.")):
            shape = [hidden.get(size, size) for size in full.shape]
            state[key] = torch.tensor(second_hash(index, prod(shape)) - 0.5).view(shape)
    return state


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("egnn", {64: 8, 128: 16, 131: 19}),
        ("segnn", {32: 4, 64: 8, 192: 24, 12480: 216, 6144: 96, 12288: 192, 4096: 64}),
    ],
    ids=["egnn", "segnn"],
)
def test_width_and_layers_follow_from_the_state(name, hidden):
    state, inputs = scaled_down(name, hidden, layers=2), other_inputs(name)
    expected = getattr(reference_networks, name)(state, *inputs)
    torch.testing.assert_close(ours(name, state, inputs), expected, rtol=1e-12, atol=1e-12)
    assert len(load(name, state).layers) == 2


@pytest.mark.parametrize("name", ["segnn", "vn_dgcnn"])
def test_arrays_work_like_tensors_and_precision_is_kept(name):
    state, inputs = weights(name, golden_hash), golden(name)[0]
    arrays = {key: tensor.numpy() for key, tensor in state.items()}
    assert torch.equal(ours(name, arrays, inputs), ours(name, state, inputs))
    single = load(name, {key: tensor.float() for key, tensor in state.items()})
    assert {parameter.dtype for parameter in single.parameters()} == {torch.float32}
    assert not single.training


def test_a_loaded_network_has_its_own_weights():
    state = weights("egnn", golden_hash)
    before = state["embedding.weight"].clone()
    network = load("egnn", state)
    with torch.no_grad():
        network.embedding.weight.zero_()
    assert torch.equal(state["embedding.weight"], before)


def test_constants_of_e3nn_in_the_state_are_ignored():
    state = weights("segnn", golden_hash)
    gate = reference_networks.e3nn_gate(32).state_dict()
    product = reference_networks.tensor_product("32x0e+32x1o", "64x0e+32x1o").state_dict()
    constants = {f"layers.0.message_layer_2.gate.{key}": value for key, value in gate.items()}
    constants |= {f"pre_pool1.tp.{key}": value for key, value in product.items() if key != "weight"}
    constants["pre_pool1.tp._compiled_main._w3j_1_1_0"] = torch.ones(3)
    assert {key.split(".")[-1] for key in constants} == {"weight", "output_mask", "_w3j_1_1_0"}
    inputs = golden("segnn")[0]
    assert torch.equal(ours("segnn", {**state, **constants}, inputs), ours("segnn", state, inputs))


def test_an_unknown_network_is_named():
    with pytest.raises(BadInput, match=r"^name: .*'vn_pointnt'; did you mean 'vn_pointnet'\?$"):
        load("vn_pointnt", {})


SLIPS = {
    "egnn": "gcl_2.node_mlp.0.weight",
    "segnn": "layers.1.update_layer_1.tp.weight",
    "vn_pointnet": "feat.fstn.fc1.map_to_dir.weight",
    "vn_dgcnn": "conv5.map_to_feat.weight",
}
FIRST = {"egnn": "embedding.bias", "segnn": "embedding_layer.biases"}


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_that_does_not_fit_is_named_in_one_line(name):
    state = weights(name, golden_hash)
    for key in (SLIPS[name], FIRST.get(name, SLIPS[name])):
        renamed = {f"{each}s" if each == key else each: tensor for each, tensor in state.items()}
        missing = {each: tensor for each, tensor in state.items() if each != key}
        wrong = {**state, key: state[key][1:]}
        for slip, message in (
            (renamed, f"{name}: unknown parameter '{key}s'; did you mean '{key}'?"),
            (missing, f"{name}: parameter '{key}' is missing; its shape is {tuple(state[key].shape)}"),
            (
                wrong,
                f"{name}: parameter '{key}' has the shape {tuple(wrong[key].shape)}; "
                f"it must be {tuple(state[key].shape)}",
            ),
            (
                {**state, key: "weights"},
                f"{name}: parameter '{key}' is neither a tensor nor an array, but of type str",
            ),
        ):
            with pytest.raises(BadInput) as error:
                load(name, slip)
            assert str(error.value) == message


def test_batch_norm_statistics_must_be_complete_or_absent():
    state = with_statistics(weights("vn_dgcnn", golden_hash))
    del state["bn2.running_var"]
    with pytest.raises(BadInput, match=r"'bn2\.running_var' is missing"):
        load("vn_dgcnn", state)


def test_a_single_parameter_does_not_make_a_further_layer():
    with pytest.raises(BadInput, match=r"unknown parameter 'gcl_4\.edge_mlp\.0\.weight'"):
        load("egnn", {**weights("egnn", golden_hash), "gcl_4.edge_mlp.0.weight": torch.zeros(64, 131)})


def test_every_parameter_has_a_place():
    for name in NAMES:
        network = load(name, weights(name, golden_hash))
        assert sum(prod(place.shape) for place in places_of(network).values() if not place.optional) == sum(
            parameter.numel() for parameter in network.parameters()
        )
