"""One contract for all models; a new model adds its configurations to CASES."""

from dataclasses import dataclass, field, replace
from typing import Any

import contract
import pytest
import torch
from torch import Tensor, nn

from trainables.errors import BadInput
from trainables.graph import Graph, Signature
from trainables.registry import build, resolve
from trainables.relaxation.project import project
from trainables.relaxation.relax import relax
from trainables.symmetry import Symmetry

NBODY = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")
MOLECULE = Signature(scalars=4, vectors=0, edge_scalars=0, output="scalars")
CLOUD = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=3)
EUCLIDEAN = Symmetry(inversion=True, translations=True)
ROTATIONS = Symmetry(inversion=False, translations=False)


@dataclass(frozen=True)
class Case:
    """A model, its signature and its options; `edges` is False if the model builds its own edges."""

    model: str
    signature: Signature
    options: dict[str, Any] = field(default_factory=dict)
    symmetry: Symmetry = EUCLIDEAN
    nodes: int = 5
    edges: bool = True

    def build(self) -> nn.Module:
        torch.manual_seed(1)
        return build("model", {"name": self.model, **self.options}, self.signature)

    def graph(self, seed: int = 0) -> Graph:
        return contract.random_graph(self.signature, 2, self.nodes, seed, self.edges)


SMALL = {"hidden": 8, "layers": 2}
SMALL_ATTENTION = {"channels": 4, "heads": 2, "layers": 2}
TINY_ATTENTION = {"channels": 8, "layers": 2, "heads": 2, "logits": 4}
PUBLISHED = {"channels": [8, 4, 2], "layers": 2, "heads": 2, "logits": 4, "expansion": 2}
NARROW = {"width": 0.2, "num_neighbors": 4}
CASES = {
    "egnn-nbody": Case("egnn", NBODY, SMALL),
    "egnn-molecule": Case("egnn", MOLECULE, SMALL),
    "segnn-nbody": Case("segnn", NBODY, SMALL),
    "segnn-molecule": Case("segnn", MOLECULE, SMALL),
    "segnn-cloud": Case("segnn", CLOUD, {**SMALL, "num_neighbors": 4}, nodes=10, edges=False),
    "se3_transformer-nbody": Case("se3_transformer", NBODY, SMALL_ATTENTION),
    "se3_transformer-molecule": Case("se3_transformer", MOLECULE, SMALL_ATTENTION),
    "se3_transformer-cloud": Case(
        "se3_transformer", CLOUD, {**SMALL_ATTENTION, "num_neighbors": 4}, nodes=10, edges=False
    ),
    "tensor_field-nbody": Case("se3_transformer", NBODY, {"channels": 4, "layers": 2, "attention": False}),
    "egnn-cloud": Case("egnn", CLOUD, {**SMALL, "num_neighbors": 4}, nodes=10, edges=False),
    "equiformer-nbody": Case("equiformer", NBODY, TINY_ATTENTION),
    "equiformer-molecule": Case("equiformer", MOLECULE, TINY_ATTENTION),
    "equiformer-cloud": Case(
        "equiformer", CLOUD, {**TINY_ATTENTION, "num_neighbors": 4}, nodes=10, edges=False
    ),
    "equiformer-degree-3": Case("equiformer", MOLECULE, {**TINY_ATTENTION, "degree": 3}),
    "published_equiformer-nbody": Case("equiformer", NBODY, PUBLISHED),
    "published_equiformer-molecule": Case("equiformer", MOLECULE, {**PUBLISHED, "features": 6}),
    "published_equiformer-axial": Case(
        "equiformer",
        MOLECULE,
        {**PUBLISHED, "inversion": False},
        Symmetry(inversion=False, translations=True),
    ),
    "vn_pointnet-cloud": Case("vn_pointnet", CLOUD, NARROW, ROTATIONS, nodes=10, edges=False),
    "vn_dgcnn-cloud": Case("vn_dgcnn", CLOUD, NARROW, ROTATIONS, nodes=10, edges=False),
}


@pytest.fixture(params=list(CASES))
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_shape_and_type(case):
    graph = case.graph()
    output = case.build()(graph)
    rows, columns = (2 * case.nodes, 3) if case.signature.output == "vectors" else (2, case.signature.outputs)
    assert output.shape == (rows, columns)
    assert output.dtype == torch.float64
    assert output.isfinite().all()


def test_outputs_depend_on_the_graph(case):
    model = case.build().eval()
    one, other = model(case.graph(0)), model(case.graph(1))
    assert contract.relative_difference(one, other) > 1e-6


@pytest.mark.parametrize("steps", [0, 3], ids=["initial", "trained"])
def test_symmetry(case, steps):
    model = case.build()
    contract.train(model, case.graph(), steps)
    model.eval()
    errors = contract.symmetry_errors(model, case.signature, case.symmetry, case.graph(seed=7))
    assert max(errors.values()) <= 1e-10, errors


def test_a_batch_equals_its_graphs_one_by_one(case):
    assert contract.batching_error(case.build().eval(), case.graph()) <= 1e-10


def test_gradients_are_finite_and_reach_the_parameters(case):
    model = case.build()
    model(case.graph()).square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    # The last layer serves only one of the two kinds of output, so parameters of the other may have no gradient.
    missing = [name for name, gradient in gradients.items() if gradient is None]
    assert len(missing) < len(gradients) / 2, missing
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)


def test_same_seed_same_bits(case):
    assert torch.equal(case.build().eval()(case.graph()), case.build().eval()(case.graph()))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.edges])
def test_smooth(name):
    case = CASES[name]
    assert contract.roughness(case.build().eval(), case.graph()) < 0.2


def test_float32_is_near_float64(case):
    model, graph = case.build().eval(), case.graph()
    expected = model(graph)

    def single(value: Tensor) -> Tensor:
        return value.float()

    graph32 = Graph(
        *(single(part) for part in (graph.positions, graph.scalars, graph.vectors, graph.edge_scalars)),
        graph.topology,
        graph.graphs,
    )
    assert contract.relative_difference(model.float()(graph32).double(), expected) < 1e-3


def test_relaxes_and_projects_back_to_the_same_bits(case):
    model, graph = case.build().eval(), case.graph()
    expected = model(graph)
    relaxed = relax(model, torch.Generator().manual_seed(0), init=0.1)
    assert contract.relative_difference(relaxed(graph), expected) > 1e-6
    assert torch.equal(project(relaxed)(graph), expected)


@pytest.mark.parametrize("name", ["egnn", "segnn", "se3_transformer", "equiformer"])
def test_a_number_of_neighbors_is_refused_if_the_task_gives_the_edges(name):
    given = replace(NBODY, own_edges=True)
    build("model", resolve("model", {"name": name}), given)  # a resolved description contains the default
    build("model", {"name": name, "num_neighbors": 4}, NBODY)
    with pytest.raises(BadInput, match=r"^model\.num_neighbors: 4, but the task gives its own edges; remove"):
        build("model", {"name": name, "num_neighbors": 4}, given)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"name": "se3_transformer", "attention": False, "heads": 2}, "heads"),
        ({"name": "equiformer", "channels": [8, 8, 4], "features": 8}, "features"),
    ],
)
def test_options_without_an_effect_are_refused(options, key):
    with pytest.raises(BadInput, match=rf"^model\.{key}: .*remove it$"):
        build("model", options, NBODY)
    build("model", {**options, key: resolve("model", {"name": options["name"]}).get(key, 0)}, NBODY)


def test_without_attention_channels_need_not_fit_the_heads():
    build("model", {"name": "se3_transformer", "attention": False, "channels": 6}, NBODY)
