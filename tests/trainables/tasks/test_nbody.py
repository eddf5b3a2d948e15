"""The n-body data: physics, reproducibility, and the task built on it."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from trainables import registry
from trainables.errors import BadInput
from trainables.symmetry import random_rotations, rotate_graph
from trainables.tasks.nbody import DURATION, NBody, energy, initial_conditions, integrate, nbody
from trainables.tasks.task import select

SMALL = {"train": 12, "val": 8, "test": 8}


@pytest.mark.parametrize("law", ["charges", "gravity"])
def test_integrator_agrees_with_an_adaptive_solver(law):
    positions, velocities, charges = initial_conditions(3, law, 4, seed=1, stream=0)
    positions = positions * 3  # far apart, so that no force is clipped

    def derivative(time, state, charge):
        x, v = state.reshape(2, 3, 3)
        difference = x[:, None] - x[None]
        cubes = np.linalg.norm(difference, axis=-1) ** 3 + np.eye(3)
        sign = 1.0 if law == "charges" else -1.0
        acceleration = sign * (np.outer(charge, charge) / cubes)[..., None] * difference
        return np.concatenate([v, acceleration.sum(1)]).ravel()

    moved, speeds = integrate(positions, velocities, charges, law, steps=500)
    for sample in range(4):
        start = np.concatenate([positions[sample], velocities[sample]]).ravel()
        exact = solve_ivp(derivative, (0, 0.5), start, args=(charges[sample],), rtol=1e-10, atol=1e-12).y[
            :, -1
        ]
        exact_x, exact_v = exact.reshape(2, 3, 3)
        np.testing.assert_allclose(moved[sample], exact_x, atol=2e-3)
        np.testing.assert_allclose(speeds[sample], exact_v, atol=2e-3)


@pytest.mark.parametrize("law", ["charges", "gravity"])
def test_energy_drift_is_small_if_no_force_is_clipped(law):
    positions, velocities, charges = initial_conditions(5, law, 40, seed=2, stream=0)
    positions = positions * 3
    before = energy(positions, velocities, charges, law)
    after = energy(*integrate(positions, velocities, charges, law, steps=2000), charges, law)
    scale = np.abs(before) + 1
    assert np.median(np.abs(after - before) / scale) < 1e-3


def test_momentum_is_conserved_up_to_rounding():
    positions, velocities, charges = initial_conditions(5, "charges", 20, seed=3, stream=0)
    positions = positions * 3
    _, after = integrate(positions, velocities, charges, "charges", steps=300)
    np.testing.assert_allclose(after.sum(1), velocities.sum(1), atol=1e-11)


def test_initial_conditions_follow_their_definition():
    positions, velocities, charges = initial_conditions(5, "charges", 4000, seed=4, stream=0)
    np.testing.assert_allclose(np.linalg.norm(velocities, axis=-1), 0.5)
    assert np.abs(positions).max() <= 5
    assert abs(positions.std() - 1) < 0.02
    assert set(np.unique(charges)) == {-1.0, 1.0}
    assert abs(charges.mean()) < 0.03


def test_a_trajectory_does_not_depend_on_others_in_its_batch():
    state = initial_conditions(5, "charges", 7, seed=5, stream=0)
    together = integrate(*state, "charges", 50)
    alone = integrate(*(part[3:4] for part in state), "charges", 50)
    np.testing.assert_array_equal(together[0][3:4], alone[0])


def test_the_given_state_is_left_unchanged_and_two_spans_equal_one():
    positions, velocities, charges = initial_conditions(5, "charges", 6, seed=6, stream=0)
    middle = integrate(positions, velocities, charges, "charges", 30)
    kept = [part.copy() for part in middle]
    end = integrate(*middle, charges, "charges", 20)
    for before, after in zip(kept, middle, strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(end[0], integrate(positions, velocities, charges, "charges", 50)[0])


def test_the_task_is_about_one_unit_of_time(tmp_path):
    task = nbody(tmp_path, train=200, val=200, test=2)
    batch = task.splits["val"]
    still = (batch["positions"] - batch["targets"]).square().mean().item()
    assert task.trivial < 0.6 * still


def test_same_seed_same_bits_other_seed_other_data(tmp_path):
    first = nbody(tmp_path / "a", **SMALL, seed=1)
    again = nbody(tmp_path / "b", **SMALL, seed=1)
    other = nbody(tmp_path / "a", **SMALL, seed=2)
    for split in ("train", "val", "test"):
        for name, value in first.splits[split].items():
            assert torch.equal(value, again.splits[split][name])
    assert not torch.equal(first.splits["train"]["targets"], other.splits["train"]["targets"])
    assert not torch.equal(first.splits["val"]["targets"], first.splits["test"]["targets"])


def test_a_small_split_is_the_beginning_of_a_large_one(tmp_path):
    small = nbody(tmp_path, train=3, val=2, test=2)
    large = nbody(tmp_path, train=6, val=2, test=2)
    assert torch.equal(small.splits["train"]["targets"], large.splits["train"]["targets"][:3])


def test_the_cache_is_used_and_a_broken_entry_is_made_again(tmp_path, monkeypatch):
    first = nbody(tmp_path, **SMALL)
    broken = next((tmp_path / "cache").glob("nbody-*/targets.npy"))
    broken.write_bytes(broken.read_bytes()[:-8])
    assert torch.equal(nbody(tmp_path, **SMALL).splits["train"]["targets"], first.splits["train"]["targets"])

    monkeypatch.setattr("trainables.tasks.nbody._simulate", lambda *_: pytest.fail("simulated again"))
    nbody(tmp_path, **SMALL)


def test_trivial_predictor_is_constant_velocity(tmp_path):
    task = nbody(tmp_path, **SMALL)
    batch = task.splits["val"]
    prediction = {"positions": batch["positions"] + DURATION * batch["velocities"]}
    assert task.errors(prediction, batch)["mse"].mean().item() == pytest.approx(task.trivial)
    assert task.loss(prediction, batch).item() == pytest.approx(task.trivial)


@pytest.mark.parametrize("bodies", [5, 20])
def test_graph_shapes_and_edge_scalars(tmp_path, bodies):
    task = nbody(tmp_path, bodies=bodies, train=2, val=2, test=2)
    batch = select(task.splits["train"], slice(0, 2))
    graph = task.graph(batch)
    assert graph.positions.shape == (2 * bodies, 3)
    assert graph.vectors.shape == (2 * bodies, 1, 3)
    assert graph.edge_scalars.shape == (2 * bodies * (bodies - 1), 1)
    charges = batch["charges"].flatten()
    receivers = torch.arange(2 * bodies).repeat_interleave(bodies - 1)
    senders = graph.topology.senders
    assert torch.equal(graph.edge_scalars[:, 0], charges[receivers] * charges[senders])
    assert bool((senders != receivers).all())
    assert torch.equal(senders // bodies, receivers // bodies)


def test_targets_rotate_with_the_graph(tmp_path):
    task = nbody(tmp_path, **SMALL)
    batch = select(task.splits["train"], slice(0, 4))
    matrices = random_rotations(4, torch.Generator().manual_seed(0)).float()

    def constant_velocity(graph):
        return {"positions": (graph.positions + DURATION * graph.vectors[:, 0]).unflatten(0, (4, -1))}

    plain = task.loss(constant_velocity(task.graph(batch)), batch)
    rotated = task.loss(
        constant_velocity(rotate_graph(task.graph(batch), matrices)), task.rotate_targets(batch, matrices)
    )
    assert rotated.item() == pytest.approx(plain.item(), rel=1e-5)


def test_neighbors_and_cutoff_choose_the_edges(tmp_path):
    size = {"bodies": 6, **SMALL}
    whole = nbody(tmp_path, **size)
    distances = torch.cdist(whole.splits["val"]["positions"], whole.splits["val"]["positions"])
    near = nbody(tmp_path, **size, num_neighbors=2)
    topology = near.graph(near.splits["val"]).topology
    nearest = distances.argsort(-1)[..., 1:3] + 6 * torch.arange(8)[:, None, None]
    assert topology.senders.view(8, 6, 2).sort(-1).values.equal(nearest.sort(-1).values)
    within = nbody(tmp_path, **size, cutoff=1.5)
    graph = within.graph(within.splits["val"])
    edges = graph.topology.present.flatten()
    assert edges.sum() == (distances < 1.5).sum() - 8 * 6
    receivers = torch.arange(len(edges)) // graph.topology.num_senders
    lengths = (graph.positions[receivers] - graph.positions[graph.topology.senders]).norm(dim=1)
    assert ((lengths < 1.5) == edges).all()
    charges = within.splits["val"]["charges"].flatten()
    assert graph.edge_scalars[:, 0].equal(charges[receivers] * charges[graph.topology.senders])


CUTOFF_MODELS = {
    "egnn": {"hidden": 8},
    "segnn": {"hidden": 8},
    "se3_transformer": {"channels": 4},
    "tensor_field": {"name": "se3_transformer", "channels": 4, "attention": False},
    "equiformer": {"channels": 8, "layers": 1},
    "published_equiformer": {"name": "equiformer", "channels": [8, 4, 4], "layers": 1},
}


@pytest.mark.parametrize("name", CUTOFF_MODELS)
@torch.no_grad()
def test_with_a_cutoff_a_sample_alone_equals_the_same_in_a_batch(tmp_path, name):
    task = nbody(tmp_path, bodies=8, **SMALL, cutoff=1.0).with_dtype(torch.float64)
    torch.manual_seed(0)
    model = registry.build("model", {"name": name, **CUTOFF_MODELS[name]}, task.signature).double().eval()
    batch = task.splits["val"]
    graphs = [task.graph(select(batch, slice(index, index + 1))) for index in range(8)]
    assert len({graph.topology.num_senders for graph in graphs}) > 1
    assert any((~graph.topology.present).all(1).any() for graph in graphs)  # some bodies have no sender
    alone = torch.cat([model(graph) for graph in graphs])
    torch.testing.assert_close(model(task.graph(batch)), alone, rtol=0, atol=1e-10)


@pytest.mark.parametrize("options", [{"num_neighbors": 5}, {"num_neighbors": 2, "cutoff": 1.0}])
def test_impossible_edges_are_refused(options, tmp_path):
    with pytest.raises(BadInput, match=r"task\.(num_neighbors|cutoff)"):
        nbody(tmp_path, **SMALL, **options)


def test_energy_drift_is_small_for_many_bodies_too():
    positions, velocities, charges = initial_conditions(60, "charges", 4, seed=2, stream=0)
    positions = positions * 8
    before = energy(positions, velocities, charges, "charges")
    after = energy(*integrate(positions, velocities, charges, "charges", steps=300), charges, "charges")
    assert np.max(np.abs(after - before) / (np.abs(before) + 1)) < 1e-3


def saved_numbers(bodies, graphs):
    """How many numbers a training step of EGNN saves for its backward pass, with 8 neighbors per body."""
    draw = torch.Generator().manual_seed(0)
    split = {
        name: torch.randn(graphs, bodies, 3, generator=draw)
        for name in ("positions", "velocities", "targets")
    }
    split["charges"] = torch.ones(graphs, bodies)
    task = NBody({"val": split}, num_neighbors=8)
    model = registry.build(
        "model", registry.resolve("model", {"name": "egnn", "hidden": 8, "layers": 2}), task.signature
    )
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept: saved.append(kept.numel()) or kept, lambda kept: kept
    ):
        task.loss(task.predict(model, task.graph(split)), split).backward()
    return sum(saved)


def test_memory_grows_with_edges_not_with_pairs():
    assert saved_numbers(bodies=320, graphs=1) == pytest.approx(saved_numbers(bodies=20, graphs=16), rel=0.02)
    assert saved_numbers(bodies=320, graphs=2) == pytest.approx(
        2 * saved_numbers(bodies=320, graphs=1), rel=0.05
    )
