"""Motion capture: exactly the public samples, the group of the task, and mistakes that name file and frame."""

import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from trainables import registry
from trainables.errors import BadInput
from trainables.graph import topology_of
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.symmetry import random_rotations, rotate_nodes, rotations_about
from trainables.tasks.mocap import Mocap, hops, mocap, samples
from trainables.tasks.sources.motion import Motion, random_starts, read_public_motion, read_public_starts
from trainables.training.building import default_dtype
from trainables.training.equivariance import delivered_error

PUBLIC = Path(__file__).parents[4] / "shared" / "data" / "mocap"
needs_data = pytest.mark.skipif(not PUBLIC.exists(), reason="the public files are not on this machine")
# Computed by a separate script: the first 16 digits of the SHA-256 of positions, velocities and targets in float64.
CHECKSUMS = {
    "train": ["37cb5bdd5e8fe292", "68cbd561b4991f3a", "d512143f67a1c656"],
    "val": ["c36e355c1f9ab343", "826cec51ba896d5a", "b608fac89c3fb425"],
    "test": ["1f4c4f8fd9b6503a", "b5c6acd30fc779bf", "a0e8d7a47ac7a725"],
}
MODELS = {
    "egnn": {"hidden": 8, "layers": 2},
    "segnn": {"hidden": 4, "layers": 2},
    "se3_transformer": {"channels": 4, "layers": 2, "heads": 2},
    "equiformer": {"channels": 4, "layers": 1, "heads": 2},
}
LINKS = np.array([[1, 0], [2, 1], [3, 1], [4, 3], [5, 3]])  # a tree in which joints have 1 to 3 links


pytestmark = pytest.mark.usefixtures("float64")


def walk(frames=12, seed=0):
    """Six joints that stand upright and move forward in a direction given by the seed."""
    random = np.random.default_rng(seed)
    body = random.normal(0, 1, (6, 3)) + np.array([0, 15, 0]) + np.arange(6)[:, None] * np.array([0, 2.0, 0])
    steps = random.normal(0, 0.1, (frames, 6, 3)) + random.normal(0, 1, 3) * np.array([1, 0, 1])
    return body + steps.cumsum(0)


def motion(count=4, frames=12):
    return Motion(LINKS, [walk(frames, seed) for seed in range(count)], [f"walk {i}" for i in range(count)])


def small_task(height=True, frames_ahead=3):
    recorded = motion()
    starts = random_starts(recorded, frames_ahead, 0)
    splits = {
        name: samples(recorded, starts, name, 6, frames_ahead, "here") for name in ("train", "val", "test")
    }
    return Mocap(splits, LINKS, frames_ahead, height=height)


def build(name, task):
    torch.manual_seed(0)
    with default_dtype(torch.float64):
        return registry.build(
            "model", registry.resolve("model", {"name": name, **MODELS[name]}), task.signature
        )


@needs_data
def test_samples_are_exactly_those_of_the_public_split(tmp_path):
    shutil.copytree(PUBLIC, tmp_path / "mocap")
    task = mocap(tmp_path)
    for name, expected in CHECKSUMS.items():
        found = [
            hashlib.sha256(task.splits[name][key].numpy().tobytes()).hexdigest()[:16]
            for key in ("positions", "velocities", "targets")
        ]
        assert found == expected
    assert (task.hops == 1).sum() == 60
    assert (task.hops == 2).sum() == 70
    test = Mocap(
        {**task.splits, "val": task.splits["test"]}, np.argwhere(task.hops.numpy() == 1), 30, height=True
    )
    assert test.trivials == pytest.approx(
        {"static": 89.8, "constant velocity": 19.8, "centroid shift": 13.0}, rel=0.003
    )
    assert test.trivial == test.trivials["centroid shift"]
    with pytest.raises(
        BadInput, match=r"motion_run\.pkl: sequence \d+: frame \d+: 60 frames later is beyond"
    ):
        mocap(tmp_path, frames_ahead=60)
    with pytest.raises(BadInput, match=r"task\.train: 100 samples of each sequence.*ask for 400 or fewer"):
        mocap(tmp_path, train=500)


def test_a_sample_is_pose_displacement_to_the_next_frame_and_later_pose():
    recorded = motion()
    starts = {"train": {2: np.array([4, 1]), 0: np.array([5, 7])}}
    split = samples(recorded, starts, "train", 3, 3, "here")  # one of each sequence, and one left over
    for row, (sequence, frame) in enumerate([(2, 4), (0, 5)]):
        x = recorded.sequences[sequence]
        np.testing.assert_array_equal(split["positions"][row], x[frame])
        np.testing.assert_array_equal(split["velocities"][row], x[frame + 1] - x[frame])
        np.testing.assert_array_equal(split["targets"][row], x[frame + 3])
    assert len(split["positions"]) == 2


def test_edges_join_joints_one_and_two_links_away():
    found = hops(LINKS, 6)
    assert found[3].tolist() == [2, 1, 2, 0, 1, 1]
    assert found[5].tolist() == [0, 2, 0, 1, 2, 0]
    graph = small_task().graph(small_task().splits["val"])
    topology = graph.topology
    joints = {}
    for edge, there in enumerate(topology.present.flatten().tolist()):
        if there:
            receiver, sender = edge // topology.num_senders, int(topology.senders[edge])
            assert receiver // 6 == sender // 6
            joints[receiver % 6, sender % 6] = float(graph.edge_scalars[edge])
    assert joints == {(i, j): found[i, j] for i in range(6) for j in range(6) if found[i, j]}


def test_heights_do_not_depend_on_the_batch():
    task = small_task()
    whole = task.graph(task.splits["val"])
    alone = task.graph({key: value[:1] for key, value in task.splits["val"].items()})
    torch.testing.assert_close(whole.scalars[:6], alone.scalars)
    torch.testing.assert_close(alone.scalars[:, 0], alone.positions[:, 1] / 10)
    assert small_task(height=False).graph(task.splits["val"]).scalars.shape[1] == 0


@pytest.mark.parametrize("height", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_strict_networks_respect_the_group_of_the_task(name, height):
    task = small_task(height)
    assert delivered_error(build(name, task), task) < 1e-10


@pytest.mark.parametrize("name", MODELS)
def test_with_heights_a_turn_about_another_axis_changes_the_result(name):
    about_y = rotations_about("y", torch.tensor([0.8]))[0]
    about_x = rotations_about("x", torch.tensor([0.8]))[0]
    errors = {}
    for height in (True, False):
        task = small_task(height)
        model = build(name, task).eval()
        for axis, matrix in {"y": about_y, "x": about_x}.items():
            errors[axis, height] = error_on_turned_data(model, task, matrix)
    assert max(errors["y", True], errors["y", False], errors["x", False]) < 1e-10
    assert errors["x", True] > 1e-4


@torch.no_grad()
def error_on_turned_data(model, task, matrix):
    split = task.splits["val"]
    turned = {key: rotate_nodes(value, matrix) for key, value in split.items()}
    expected = rotate_nodes(model(task.graph(split)), matrix)
    return float((model(task.graph(turned)) - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", MODELS)
def test_edges_that_pad_a_row_have_no_effect(name):
    """The values on such an edge may be anything; a joint that no edge leads to does not affect the others."""
    task = small_task()
    model = build(name, task).eval()
    graph = task.graph(task.splits["val"])
    graph.edge_scalars[~graph.topology.present.flatten()] = 0.0
    before = model(graph)
    graph.edge_scalars[~graph.topology.present.flatten()] = 7.0
    torch.testing.assert_close(model(graph), before, rtol=1e-12, atol=1e-12)


def test_relaxed_networks_break_the_symmetry_and_are_detected():
    task = small_task()
    model = relax(build("egnn", task), torch.Generator().manual_seed(0)).double()
    for layer in relaxed_layers(model).values():
        layer.set_strength(1.0, recording=False)
    assert delivered_error(model, task) > 1e-4


def test_targets_turn_with_the_graph():
    task = small_task(height=False)
    split = task.splits["val"]
    matrices = random_rotations(len(split["targets"]), torch.Generator().manual_seed(0))
    turned = task.rotate_targets(split, matrices)["targets"]
    torch.testing.assert_close(turned[1], split["targets"][1] @ matrices[1].T)


def test_full_rows_need_no_padding():
    assert topology_of(~torch.eye(4, dtype=torch.bool), 2, torch.device("cpu")).present is None


class Foreign:
    """A class that a pickle could instantiate."""


def pickled(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickles_of_arrays_are_read_in_any_protocol(tmp_path, protocol):
    sequences = [walk(5, 0), walk(7, 1)]
    found = read_public_motion(pickled(tmp_path / "m.pkl", (LINKS.tolist(), sequences), protocol))
    np.testing.assert_array_equal(found.sequences[1], sequences[1])
    starts = {1: np.array([2, 0]), np.int64(0): np.array([1])}
    found = read_public_starts(pickled(tmp_path / "s.pkl", (starts, starts, starts), protocol))
    assert found["test"][1].tolist() == [2, 0]


def broken_walk():
    sequence = walk(5, 1)
    sequence[3, 2] = np.nan
    return sequence


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            Foreign(),
            r"m\.pkl: not a complete pickle of arrays: .*it requests .*Foreign; only arrays are allowed",
        ),
        (Path, r"m\.pkl: not a complete pickle.*Path"),
        ((LINKS, [walk(5, 0), broken_walk()]), r"m\.pkl: sequence 1: frame 3: positions are NaN"),
        ((LINKS, [walk(5, 0), walk(5, 1)[:, :4]]), r"m\.pkl: sequence 1: positions are \(5, 4, 3\)"),
        ((LINKS + 3, [walk(5, 0)]), r"m\.pkl: links must be pairs of joints from 0 to 5"),
        ((LINKS[:4], [walk(5, 0)]), r"m\.pkl: joint 5 has no link"),
        ((LINKS, []), r"m\.pkl: contains no sequences"),
        ({"a": 1}, r"m\.pkl: is not a pair"),
        ((["a"], [walk(5, 0)]), r"m\.pkl: links: contains no numbers"),
    ],
)
def test_damaged_and_foreign_motions_are_named(tmp_path, content, message):
    with pytest.raises(BadInput, match=message) as error:
        read_public_motion(pickled(tmp_path / "m.pkl", content))
    assert "\n" not in str(error.value)


def test_a_cut_pickle_is_named_wherever_it_is_cut(tmp_path):
    whole = pickled(tmp_path / "m.pkl", (LINKS, [walk(5, 0)])).read_bytes()
    for end in range(0, len(whole), 37):
        (tmp_path / "m.pkl").write_bytes(whole[:end])
        with pytest.raises(BadInput, match=r"m\.pkl: not a complete pickle"):
            read_public_motion(tmp_path / "m.pkl")


def test_a_split_that_exceeds_its_sequences_is_named():
    recorded = motion()
    with pytest.raises(BadInput, match="walk 1: frame 9: 3 frames later is beyond the last frame, 11"):
        samples(recorded, {"val": {1: np.array([2, 9])}}, "val", 2, 3, "here")
    with pytest.raises(BadInput, match="here: val requests sequence 7; there are only 4"):
        samples(recorded, {"val": {7: np.array([2])}}, "val", 1, 3, "here")
    with pytest.raises(BadInput, match=r"task\.val: 5 samples of each.*ask for 2 or fewer"):
        samples(recorded, {"val": {1: np.array([2, 3])}}, "val", 5, 3, "here")
    starts = {"val": {0: np.array([2, 3, 4]), 1: np.array([2, 3])}}
    with pytest.raises(BadInput, match=r"task\.val: 5 samples of each.*has 2 for walk 1; ask for 4 or fewer"):
        samples(recorded, starts, "val", 10, 3, "here")
    with pytest.raises(BadInput, match=r"s\.pkl: cannot be read"):
        read_public_starts(Path("nowhere/s.pkl"))


def test_first_frames_are_whole_numbers(tmp_path):
    part = {0: np.array([0.5])}
    path = pickled(tmp_path / "s.pkl", (part, part, part))
    with pytest.raises(BadInput, match="sequence 0: first frames must be whole"):
        read_public_starts(path)


def test_whole_sequences_go_to_one_split():
    parts = random_starts(motion(8), 3, 1)
    taken = [index for part in parts.values() for index in part]
    assert sorted(taken) == list(range(8))
    assert [len(part) for part in parts.values()] == [4, 2, 2]
    assert max(frames.max() for part in parts.values() for frames in part.values()) == 12 - 1 - 3
    with pytest.raises(BadInput, match="2 sequences cannot be split"):
        random_starts(motion(2), 3, 1)


def test_missing_public_files_are_named_with_the_remedy(tmp_path):
    with pytest.raises(BadInput, match=r"motion_run\.pkl.*study data mocap"):
        mocap(tmp_path)


def test_a_recording_without_a_sample_is_named_with_the_remedy():
    sequences = [walk(12, 0), walk(3, 1)]
    starts = {"train": {0: np.arange(9), 1: np.arange(0)}}
    message = r"^b: has 3 frames, fewer than task\.frames_ahead \+ 1; remove it or lower task\.frames_ahead$"
    with pytest.raises(BadInput, match=message):
        samples(Motion(LINKS, sequences, ["a", "b"]), starts, "train", 40, 3, "here")


def test_options_that_give_the_answer_away_or_have_no_effect_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"task\.frames_ahead.*2"):
        registry.resolve("task", {"name": "mocap", "frames_ahead": 1})
    with pytest.raises(BadInput, match=r"^task\.seed: the public split is fixed; remove it"):
        mocap(tmp_path, seed=44)
