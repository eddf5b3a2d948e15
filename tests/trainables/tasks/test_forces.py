"""Forces are gradients of the energy, and normalization uses training data only."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.io import write
from torch import nn
from water import SMALL, water, water_file

from trainables.errors import BadInput
from trainables.graph import Graph
from trainables.models.equiformer import Equiformer
from trainables.relaxation.relax import relax
from trainables.symmetry import random_rotations, rotate_graph, rotate_nodes
from trainables.tasks.forces import Forces, forces
from trainables.tasks.sources.molecules import MOLECULES, Files
from trainables.tasks.task import select

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def folder(tmp_path) -> Path:
    return water_file(tmp_path)


class PairPotential(nn.Module):
    """The sum over pairs of (r - 1)^2 / 2, whose forces are known in closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.ones(()))

    def forward(self, graph: Graph) -> torch.Tensor:
        topology = graph.topology
        lengths = (topology.to_edges(graph.positions) - graph.positions[topology.senders]).norm(dim=-1)
        pairs = topology.sum_edges(self.strength * (lengths - 1).square() / 4)
        return topology.sum_nodes(pairs).unsqueeze(-1)


def test_forces_of_a_known_potential(folder):
    task = forces(folder, molecule="water.xyz", **SMALL)
    batch = task.splits["train"]
    prediction = task.predict(PairPotential(), task.graph(batch))
    apart = batch["positions"][:, :, None] - batch["positions"][:, None]
    lengths = apart.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    expected = -task.scale * (apart / lengths * (lengths - 1)).sum(2)
    torch.testing.assert_close(prediction["forces"], expected, rtol=0, atol=1e-10)


def numeric_forces(
    task: Forces, model: nn.Module, positions: torch.Tensor, step: float = 1e-4
) -> torch.Tensor:
    """Central differences of the energy, fourth order, of one sample (1, atoms, 3)."""
    found = torch.zeros_like(positions)
    for place in np.ndindex(*positions.shape):
        energies = []
        for shift in (1, -1, 2, -2):
            moved = positions.clone()
            moved[place] += shift * step
            energies.append(task.predict(model, task.graph({"positions": moved}))["energies"].item())
        near, far = energies[0] - energies[1], energies[2] - energies[3]
        found[place] = -(8 * near - far) / (12 * step)
    return found


@pytest.mark.parametrize("relaxed", [False, True], ids=["strict", "relaxed"])
def test_forces_of_equiformer_are_numeric_gradients(folder, relaxed):
    task = forces(folder, molecule="water.xyz", **SMALL)
    torch.manual_seed(0)
    model = Equiformer(task.signature, channels=8, layers=2, heads=2, logits=4)
    if relaxed:
        relax(model, torch.Generator().manual_seed(0), init=1.0)
    batch = select(task.splits["train"], slice(0, 1))
    with torch.no_grad():
        found = task.predict(model, task.graph(batch))["forces"]
        expected = numeric_forces(task, model, batch["positions"])
    assert expected.abs().max() > 1e-3
    assert (found - expected).abs().max() <= 1e-6


def test_the_gradient_of_the_loss_matches_finite_differences(folder):
    """Also through the forces: training needs second derivatives, for relaxed models too."""
    task = forces(folder, molecule="water.xyz", **SMALL)
    torch.manual_seed(0)
    model = relax(
        Equiformer(task.signature, channels=4, layers=1, heads=2, logits=4),
        torch.Generator().manual_seed(0),
        init=1.0,
    )
    batch = select(task.splits["train"], slice(0, 2))

    def loss() -> torch.Tensor:
        return task.loss(task.predict(model, task.graph(batch)), batch)

    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    directions = [torch.randn_like(parameter) for parameter in parameters]
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True) if g is not None)
    values = []
    for shift in (1e-6, -2e-6):
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += shift * direction
        values.append(loss().item())
    assert slope.item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5)


def test_energy_is_invariant_and_forces_are_equivariant(folder):
    task = forces(folder, molecule="water.xyz", **SMALL)
    torch.manual_seed(0)
    model = Equiformer(task.signature, channels=8, layers=2, heads=2, logits=4)
    batch = task.splits["val"]
    matrices = (
        random_rotations(3, torch.Generator().manual_seed(0)) * torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    )
    here = task.predict(model, task.graph(batch))
    there = task.predict(model, rotate_graph(task.graph(batch), matrices))
    torch.testing.assert_close(there["energies"], here["energies"], rtol=0, atol=1e-10)
    torch.testing.assert_close(there["forces"], rotate_nodes(here["forces"], matrices), rtol=0, atol=1e-10)


def test_prediction_keeps_a_graph_only_while_training(folder):
    task = forces(folder, molecule="water.xyz", **SMALL)
    model, graph = PairPotential(), task.graph(task.splits["val"])
    assert task.predict(model, graph)["forces"].requires_grad
    with torch.no_grad():
        evaluated = task.predict(model, graph)
    assert not any(value.requires_grad for value in evaluated.values())
    assert not graph.positions.requires_grad
    torch.testing.assert_close(evaluated["forces"], task.predict(model, graph)["forces"].detach())


def test_normalization_comes_from_train_only(folder):
    task = forces(folder, molecule="water.xyz", **SMALL)
    train = task.splits["train"]
    assert train["energies"].mean().item() == pytest.approx(0, abs=1e-9)
    assert task.scale == pytest.approx(np.sqrt((train["forces"].numpy() ** 2).mean()), rel=1e-12)
    others = {name: {k: 5 * v for k, v in task.splits[name].items()} for name in ("val", "test")}
    changed = Forces({"train": train, **others}, np.array([8, 1, 1]))
    assert changed.mean == pytest.approx(0, abs=1e-9)
    assert changed.scale == task.scale
    assert changed.trivial == pytest.approx(5 * task.trivial)


def test_splits_are_disjoint_nested_and_seeded(folder):
    def energies(**options):
        task = forces(folder, molecule="water.xyz", **{**SMALL, **options})
        totals = {name: split["energies"] + task.mean for name, split in task.splits.items()}
        return {name: energies.numpy().round(9).tolist() for name, energies in totals.items()}

    small, again, large, other = energies(), energies(), energies(train=10), energies(seed=1)
    everything = [energy for values in small.values() for energy in values]
    assert [len(values) for values in small.values()] == [6, 3, 4]
    assert len(set(everything)) == 13
    assert small == again
    assert other != small
    assert large["train"][:6] == small["train"]
    assert (large["val"], large["test"]) == (small["val"], small["test"])


def test_metrics_in_milli_units_and_the_trivial_predictor(folder):
    task = forces(folder, molecule="water.xyz", **SMALL)
    val = task.splits["val"]
    off = {"energies": val["energies"] + 0.002, "forces": val["forces"] - 0.003}
    errors = task.errors(off, val)
    torch.testing.assert_close(errors["energy_mae"], torch.full((3,), 2.0))
    torch.testing.assert_close(errors["force_mae"], torch.full((3,), 3.0))
    nothing = {"energies": torch.zeros(3), "forces": torch.zeros_like(val["forces"])}
    assert task.errors(nothing, val)[task.metric].mean().item() == pytest.approx(task.trivial)
    assert task.metric_goal == "min"


def test_loss_weights_and_rotated_targets(folder):
    batch = forces(folder, molecule="water.xyz", **SMALL).splits["train"]
    off = {"energies": batch["energies"] + 1.0, "forces": batch["forces"] + torch.tensor([0.0, 3.0, 4.0])}

    def loss(energy_weight, force_weight):
        task = forces(
            folder, molecule="water.xyz", **SMALL, energy_weight=energy_weight, force_weight=force_weight
        )
        return task.loss(off, batch).item() * task.scale

    assert loss(2.0, 0.0) == pytest.approx(2.0)
    assert loss(0.0, 3.0) == pytest.approx(15.0)
    task = forces(folder, molecule="water.xyz", **SMALL)
    matrices = random_rotations(6, torch.Generator().manual_seed(0))
    rotated = task.rotate_targets(batch, matrices)
    expected = torch.einsum("bij,baj->bai", matrices, batch["forces"])
    torch.testing.assert_close(rotated["forces"], expected)
    assert torch.equal(rotated["energies"], batch["energies"])


def test_two_weights_of_0_are_refused(folder):
    with pytest.raises(BadInput, match=r"^task\.force_weight: 0, like task\.energy_weight, leaves nothing"):
        forces(folder, molecule="water.xyz", **SMALL, energy_weight=0.0, force_weight=0.0)


def test_a_frame_in_two_splits_is_refused(folder):
    frames = (folder / "water.xyz").read_text()
    (folder / "twice.xyz").write_text(frames + frames)
    with pytest.raises(BadInput, match=r"twice\.xyz: frames (\d+) and (\d+) are the same; remove") as error:
        forces(folder, molecule="twice.xyz", train=20, val=10, test=10)
    first, second = map(int, re.findall(r"\d+", str(error.value).split(".xyz")[1])[:2])
    assert second == first + 20
    assert "\n" not in str(error.value)


def test_a_training_frame_in_a_separate_test_file_is_refused(folder, monkeypatch):
    write(folder / "test.xyz", [water(seed) for seed in (30, 3)], format="extxyz")
    monkeypatch.setitem(MOLECULES, "water", Files("water.xyz", {"test": "test.xyz"}))
    with pytest.raises(BadInput, match=r"test\.xyz: frame 1 is the same as frame 3 of .*water\.xyz; remove"):
        forces(folder, molecule="water", train=17, val=3, test=2)


@pytest.mark.parametrize("shift", [-17_636.0, -300_000.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_in_the_energies_changes_nothing(tmp_path, shift, dtype):
    torch.set_default_dtype(dtype)
    near_0 = np.random.default_rng(0).normal(0, 0.02, 20)
    for name, constant in (("here", 0.0), ("there", shift)):
        frames = [water(seed, energy=float(energy + constant)) for seed, energy in enumerate(near_0)]
        write(tmp_path / f"{name}.xyz", frames, format="extxyz")
    here, there = (forces(tmp_path, molecule=f"{name}.xyz", **SMALL) for name in ("here", "there"))
    assert there.mean == pytest.approx(here.mean + shift)
    assert (here.scale, here.trivial) == (there.scale, there.trivial)
    prediction = {"energies": torch.zeros(3), "forces": torch.zeros(3, 3, 3)}
    for name, split in here.splits.items():
        assert len(split["energies"].unique()) == len(split["energies"])
        torch.testing.assert_close(split["energies"], there.splits[name]["energies"], rtol=0, atol=1e-6)
    metrics = [task.errors(prediction, task.splits["val"])["energy_mae"] for task in (here, there)]
    torch.testing.assert_close(*metrics, rtol=0, atol=1e-3)
