import pytest
import torch
from torch import nn

from trainables.graph import Graph, Signature, complete_topology
from trainables.models.egnn import EGNN
from trainables.relaxation.action import rotate
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.symmetry import Symmetry, rotations_about
from trainables.tasks.task import Task
from trainables.training.building import default_dtype
from trainables.training.equivariance import (
    combined_error,
    delivered_error,
    equivariance_errors,
    history_error,
    layer_errors,
    lie_derivative_errors,
    with_dtype,
)

SIGNATURE = Signature(scalars=1, vectors=1, edge_scalars=1, output="vectors")
ALL = Symmetry(inversion=True, translations=True)


def graph(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    topology = complete_topology(4, 5, torch.device("cpu"))
    return Graph(normal(20, 3), normal(20, 1), normal(20, 1, 3), normal(80, 1), topology, 4)


class Formula(nn.Module):
    """A model defined by one function of the graph."""

    def __init__(self, formula):
        super().__init__()
        self.formula = formula
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, graph):
        return self.formula(graph)


def mean_free(x):
    return x - x.mean(0)


BREAKERS = {
    "rotation": lambda g: g.vectors[:, 0] * torch.tensor([1.0, 1.0, 2.0]).double(),
    "inversion": lambda g: torch.linalg.cross(g.vectors[:, 0], mean_free(g.positions)),
    "translation": lambda g: g.positions,
    "permutation": lambda g: g.vectors[:, 0] * torch.arange(1, 21).unsqueeze(1),
}


def errors(model, symmetry=ALL, signature=SIGNATURE, on=None):
    generator = torch.Generator().manual_seed(1)
    return equivariance_errors(model, on or graph(), signature, symmetry, generator)


@pytest.mark.parametrize("broken", BREAKERS)
def test_each_kind_finds_what_breaks_it_and_nothing_else(broken):
    found = errors(Formula(BREAKERS[broken]))
    assert set(found) == set(BREAKERS)
    assert {kind for kind, error in found.items() if error > 1e-12} == {broken}
    generator = torch.Generator().manual_seed(1)
    assert combined_error(Formula(BREAKERS[broken]), graph(), SIGNATURE, ALL, generator) > 1e-3


def test_only_symmetries_of_the_task_are_measured():
    assert set(errors(Formula(lambda g: g.positions), Symmetry(False, False))) == {"rotation", "permutation"}


def test_the_error_is_relative_to_the_output():
    # Inversion turns v + c into -v + c instead of -v - c: the error is |2c| / |v + c|.
    constant = torch.tensor([0.3, 0.0, 0.0]).double()
    found = errors(Formula(lambda g: g.vectors[:, 0] + constant))["inversion"]
    due = (graph().vectors[:, 0] + constant).norm()
    assert found == pytest.approx(float(2 * 0.3 * 20**0.5 / due))


def test_scalars_must_not_change():
    signature = Signature(scalars=1, vectors=1, edge_scalars=1, output="scalars")
    squares = Formula(lambda g: g.vectors[:, 0].square().sum(-1).view(4, 5).sum(1, keepdim=True))
    components = Formula(lambda g: g.vectors[:, 0, 0].view(4, 5).sum(1, keepdim=True))
    assert max(errors(squares, signature=signature).values()) < 1e-12
    assert errors(components, signature=signature)["rotation"] > 0.1


def egnn():
    torch.manual_seed(0)
    return EGNN(SIGNATURE, hidden=8, layers=2)


def in_float64(model):
    with default_dtype(torch.float64):
        exact = EGNN(SIGNATURE, hidden=8, layers=2)
    exact.load_state_dict(model.state_dict())
    return exact


def test_a_float32_model_is_measured_exactly_in_float64():
    model = egnn()
    coarse = max(errors(model, on=with_dtype(graph(), torch.float32)).values())
    assert 1e-10 < coarse < 1e-4
    exact = in_float64(model)
    assert max(errors(exact).values()) < 1e-13
    assert torch.get_default_dtype() is torch.float32


def test_the_mode_of_the_model_is_left_unchanged():
    model = egnn().double()
    dropout = nn.Dropout(0.5)
    noisy = Formula(lambda g: dropout(model(g)))
    noisy.dropout = dropout
    assert errors(noisy.train())["rotation"] < 1e-12
    assert noisy.training
    assert dropout.training


def relaxed_in_one_layer():
    model = relax(egnn().double(), torch.Generator().manual_seed(0), init=0.1)
    relaxed_layers(model)["layers.0.update"].active = False
    return model


def test_the_layer_that_breaks_the_symmetry_is_found():
    generator = torch.Generator().manual_seed(0)
    found = layer_errors(relaxed_in_one_layer(), graph(), SIGNATURE, ALL, generator)
    assert found["layers.0.update"] < 1e-12
    assert found["layers.1.update.strict"] < 1e-12
    assert found["layers.1.update"] > 1e-3


def test_layers_of_a_strict_model():
    found = layer_errors(egnn().double(), graph(), SIGNATURE, ALL, torch.Generator())
    assert set(found) == {"layers.0.update", "layers.1.update"}
    assert max(found.values()) < 1e-12


def test_lie_derivatives_of_a_strict_model_vanish():
    found = lie_derivative_errors(egnn().double(), graph(), SIGNATURE, ALL)
    assert set(found) == {"rotation", "translation"}
    assert max(found.values()) < 1e-8


def test_lie_derivatives_by_hand():
    # f = M v: the derivative about axis a is (M A_a - A_a M) v. f = x: the derivative of a shift is its axis.
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    velocities = graph().vectors[:, 0]
    axes = torch.eye(3).double()
    turns = torch.stack([torch.linalg.cross(axis.expand(3, 3), axes).T for axis in axes])
    expected = (velocities @ (matrix @ turns - turns @ matrix).transpose(1, 2)).norm()
    found = lie_derivative_errors(Formula(lambda g: g.vectors[:, 0] @ matrix.T), graph(), SIGNATURE, ALL)
    assert found["rotation"] == pytest.approx(float(expected / (velocities @ matrix.T).norm()), rel=1e-6)
    found = lie_derivative_errors(Formula(lambda g: g.positions), graph(), SIGNATURE, ALL)
    assert found["translation"] == pytest.approx(float(60**0.5 / graph().positions.norm()), rel=1e-6)


class Velocities(Task):
    """Graphs of five nodes in float32."""

    signature, symmetry = SIGNATURE, ALL

    def __init__(self):
        generator = torch.Generator().manual_seed(2)
        names = {"positions": 3, "scalars": 1, "velocities": 3}
        draws = {name: torch.randn(20, 5, width, generator=generator) for name, width in names.items()}
        self.splits = {"val": {**draws, "edges": torch.randn(20, 20, 1, generator=generator)}}

    def graph(self, split):
        count = len(split["positions"])
        return Graph(
            split["positions"].flatten(0, 1),
            split["scalars"].flatten(0, 1),
            split["velocities"].flatten(0, 1).unsqueeze(1),
            split["edges"].flatten(0, 1),
            complete_topology(count, 5, torch.device("cpu")),
            count,
        )


def test_the_numbers_of_history_and_record():
    task = Velocities()
    model = egnn()
    assert 0 < history_error(model, task) < 1e-4
    exact = in_float64(model)
    assert delivered_error(exact, task) < 1e-13
    broken = relaxed_in_one_layer()
    assert delivered_error(broken, task) > 1e-3
    assert history_error(broken.float(), task) > 1e-3
    assert history_error(broken, task) == history_error(broken, task)


VERTICAL = Symmetry(inversion=True, translations="xz", axis="y")
UP = torch.tensor([0.0, 1.0, 0.0]).double()


def test_a_smaller_group_tests_only_its_own_elements():
    up_and_height = Formula(lambda g: g.vectors[:, 0] + g.positions[:, 1:2] * UP)
    assert max(errors(up_and_height, VERTICAL).values()) < 1e-14
    whole = errors(up_and_height)
    assert min(whole["rotation"], whole["translation"]) > 0.1
    local = lie_derivative_errors(up_and_height, graph(), SIGNATURE, VERTICAL)
    assert set(local) == {"rotation", "translation"}
    assert max(local.values()) < 1e-8


@pytest.mark.parametrize(
    ("broken", "formula"),
    [
        ("rotation", lambda g: g.vectors[:, 0] * torch.tensor([2.0, 1.0, 1.0]).double()),
        ("inversion", lambda g: torch.linalg.cross(g.vectors[:, 0], UP.expand(20, 3))),
        ("translation", lambda g: g.vectors[:, 0] + mean_free(g.vectors[:, 0]) * g.positions[:1, 2:].sin()),
    ],
)
def test_a_smaller_group_finds_what_breaks_it(broken, formula):
    found = errors(Formula(formula), VERTICAL)
    assert found[broken] > 1e-3
    without = errors(Formula(formula), Symmetry(inversion=False, translations=False, axis="y"))
    assert set(without) == {"rotation", "permutation"}
    if broken != "rotation":
        assert without["rotation"] < 1e-12 or broken == "translation"


def test_layers_are_measured_in_the_group_of_the_task():
    model = relax(strict_egnn(), torch.Generator().manual_seed(0))
    for layer in relaxed_layers(model).values():
        layer.set_strength(1.0, recording=False)
        make_equivariant_about_y(layer)
    about_y = layer_errors(model, graph(), SIGNATURE, VERTICAL, torch.Generator().manual_seed(1))
    about_all = layer_errors(model, graph(), SIGNATURE, ALL, torch.Generator().manual_seed(1))
    assert max(about_y.values()) < 1e-10 < 1e-4 < max(about_all.values())


def strict_egnn():
    torch.manual_seed(0)
    with default_dtype(torch.float64):
        return EGNN(SIGNATURE, hidden=4, layers=1)


@torch.no_grad()
def make_equivariant_about_y(layer):
    """Average the companion's weight over quarter turns and the mirror: exact for degrees 0 and 1."""
    turns = rotations_about("y", torch.arange(4, dtype=torch.float64) * torch.pi / 2)
    elements = [*turns, *(VERTICAL.mirror @ turns)]
    weight = layer.companion.weight.double()
    layer.companion.weight.data = sum(
        rotate(layer.outputs, rotate(layer.inputs, weight, matrix).T, matrix).T for matrix in elements
    ) / len(elements)
