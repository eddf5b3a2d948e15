"""The cost of relaxation: training steps with all penalties against strict ones, and a naive Lie term.

The price of a relaxed step has a floor: a dense W of a layer of C vectors has nine times as many entries as
the strict map, and its products are three times as large. The line without penalties shows that floor.
"""

import pytest
import timing
import torch
from torch.nn import functional as F

from trainables.graph import Graph, Signature, complete_topology
from trainables.methods.penalty_terms import Penalty, PenaltyTerms
from trainables.methods.relaxed import Relaxed
from trainables.models.egnn import EGNN
from trainables.models.segnn import SEGNN
from trainables.models.vn_dgcnn import VNDGCNN
from trainables.models.vn_pointnet import VNPointNet
from trainables.relaxation import penalties
from trainables.relaxation.action import infinitesimal

PARTICLES = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")
CLOUDS = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=40)
MODELS = {"segnn": SEGNN, "egnn": EGNN, "vn_pointnet": VNPointNet, "vn_dgcnn": VNDGCNN}
WAYS = {
    "all penalties": {},
    "no penalties": {"penalty": Penalty(norm=0, lie=0)},
    "all penalties, batch as it is": {"lie_form": "exact"},
    "all penalties, random generator": {"lie_form": "random"},
}


class NaiveTerms(PenaltyTerms):
    """Generators as dense matrices of all features, and a forward pass of W for each of them."""

    def _terms(self, layer, call, weights):
        def dense(representations):
            dim = sum(part.dim for part in representations)
            return infinitesimal(representations, torch.eye(dim), penalties.AXES).transpose(1, 2)

        outputs = layer.companion(call.inputs)
        lie = sum(
            (layer.companion(call.inputs @ on_input.T) - outputs @ on_output.T).square().mean()
            for on_input, on_output in zip(dense(layer.inputs), dense(layer.outputs), strict=True)
        )
        return [weights["norm"] * outputs.square().mean(), weights["lie"] * lie]


def build(name):
    """The model in training mode at its published width, and a loss on 100 graphs of 5 bodies or 2 x 300 points."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    if name in ("segnn", "egnn"):
        topology = complete_topology(100, 5, torch.device("cpu"))
        graph = Graph(
            positions=torch.randn(500, 3, generator=generator),
            scalars=torch.zeros(500, 0),
            vectors=torch.randn(500, 1, 3, generator=generator),
            edge_scalars=torch.randn(2000, 1, generator=generator).sign(),
            topology=topology,
            graphs=100,
        )
        targets = torch.randn(500, 3, generator=generator)
        return MODELS[name](PARTICLES).train(), lambda model: (model(graph) - targets).square().mean()
    positions = torch.randn(600, 3, generator=generator)
    graph = Graph(positions, torch.zeros(600, 0), torch.zeros(600, 0, 3), torch.zeros(0, 0), None, graphs=2)
    labels = torch.tensor([3, 17])
    return MODELS[name](CLOUDS).train(), lambda model: F.cross_entropy(model(graph), labels)


def relaxed_step(name, method):
    model, loss = build(name)
    model = method.relax(model, torch.Generator().manual_seed(0))

    def penalized(model):
        method.begin_step(model, 25, 111)
        value = loss(model)
        penalty = method.penalty(model)
        return value if penalty is None else value + penalty

    return timing.training_step(model, penalized)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_price_of_relaxation(compare, name, way):
    """The ratio is how many times longer the relaxed step takes."""
    compare(f"{name}: {way}", relaxed_step(name, Relaxed(**WAYS[way])), timing.training_step(*build(name)), 9)


@pytest.mark.parametrize("name", MODELS)
def test_price_of_the_naive_lie_term(compare, name):
    naive = Relaxed()
    naive.penalties = NaiveTerms(Penalty(), "exact", "mean")
    compare(f"{name}: naive Lie term", relaxed_step(name, naive), timing.training_step(*build(name)), 5)
