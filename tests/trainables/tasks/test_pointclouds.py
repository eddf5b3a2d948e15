"""Splits, poses, augmentation and scores of point clouds."""

import numpy as np
import pytest
import torch
from torch import nn

from trainables import registry
from trainables.errors import BadInput
from trainables.tasks import pointclouds as pointclouds_module
from trainables.tasks.pointclouds import pointclouds
from trainables.tasks.sources.poses import augmented, turned
from trainables.tasks.task import select

SMALL = {"points": 32, "train": 24, "val": 12, "test": 12}


@pytest.fixture
def random():
    return np.random.default_rng(5)


def test_clouds_are_centered_and_of_unit_size(tmp_path):
    points = pointclouds(tmp_path, **SMALL).splits["val"]["points"]
    torch.testing.assert_close(points.mean(1), torch.zeros(12, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(points.norm(dim=2).amax(1), torch.ones(12))


def test_protocols_turn_the_same_clouds(tmp_path):
    aligned, mixed, turned_ = (
        pointclouds(tmp_path, **SMALL, protocol=protocol).splits for protocol in ("z/z", "z/SO3", "SO3/SO3")
    )
    for name in ("train", "val", "test"):
        grams = [splits[name]["points"] @ splits[name]["points"].mT for splits in (aligned, mixed, turned_)]
        torch.testing.assert_close(grams[0], grams[1])
        torch.testing.assert_close(grams[0], grams[2])
    torch.testing.assert_close(aligned["val"]["points"], mixed["val"]["points"])
    torch.testing.assert_close(turned_["test"]["points"], mixed["test"]["points"])
    heights = [splits["test"]["points"][..., 2] for splits in (aligned, mixed)]
    assert (heights[0] - heights[1]).abs().max() > 0.1


def test_turns(random):
    points = random.normal(size=(2000, 4, 3))
    about_z, about_any = (turned(points, poses, random) for poses in ("z", "SO3"))
    np.testing.assert_allclose(about_z[..., 2], points[..., 2])
    np.testing.assert_allclose(about_z @ about_z.transpose(0, 2, 1), points @ points.transpose(0, 2, 1))
    np.testing.assert_allclose(np.linalg.det(about_z[:, :3]), np.linalg.det(points[:, :3]))
    np.testing.assert_allclose(np.linalg.det(about_any[:, :3]), np.linalg.det(points[:, :3]))
    fixed = turned(np.tile(np.eye(3), (4000, 1, 1)), "SO3", random)
    assert np.abs(fixed.mean(0)).max() < 0.05
    fixed = turned(np.tile(np.eye(3), (4000, 1, 1)), "z", random)
    assert np.abs(fixed[:, :2].mean(0)).max() < 0.05


def test_augmentation(random):
    points = np.ones((4000, 10, 3)) * np.arange(1, 11)[None, :, None]
    scaled = augmented(points, 2.0, 0.0, 0.0, random)
    factors = scaled[:, 0, 0]
    np.testing.assert_allclose(scaled, points * factors[:, None, None])
    assert 0.5 <= factors.min() < 0.51
    assert 1.98 < factors.max() <= 2
    assert abs(np.log(factors).mean()) < 0.03
    assert (augmented(points, 1.0, 0.1, 0.0, random) - points).std() == pytest.approx(0.1, rel=0.01)
    replaced = (augmented(points, 1.0, 0.0, 0.5, random) != points).any(2).mean(1)
    assert replaced.mean() == pytest.approx(0.25 * 0.9, abs=0.01)
    np.testing.assert_array_equal(augmented(points, 1.0, 0.0, 0.0, random), points)


def test_only_training_clouds_are_augmented(tmp_path):
    plain = pointclouds(tmp_path, **SMALL).splits
    changed = pointclouds(tmp_path, **SMALL, scale=1.5, jitter=0.02, dropout=0.5).splits
    assert not torch.allclose(plain["train"]["points"].norm(dim=2), changed["train"]["points"].norm(dim=2))
    assert torch.equal(plain["val"]["points"], changed["val"]["points"])
    assert torch.equal(plain["test"]["points"], changed["test"]["points"])


def test_data_is_made_once_and_made_again_if_damaged(tmp_path, monkeypatch):
    first = pointclouds(tmp_path, **SMALL).splits["train"]["points"].clone()
    made = []
    original = pointclouds_module.splits_of
    monkeypatch.setattr(pointclouds_module, "splits_of", lambda *a: made.append(1) or original(*a))
    assert torch.equal(pointclouds(tmp_path, **SMALL).splits["train"]["points"], first)
    assert made == []
    (file,) = (tmp_path / "cache").glob("pointclouds-*/train_points.npy")
    file.write_bytes(file.read_bytes()[:-100])
    assert torch.equal(pointclouds(tmp_path, **SMALL).splits["train"]["points"], first)
    assert made == [1]


def test_options_that_change_the_data_change_the_cache_entry(tmp_path):
    plain = pointclouds(tmp_path, **SMALL).splits["train"]["points"].clone()
    for options in ({"seed": 44}, {"scale": 1.1}, {"jitter": 0.01}, {"dropout": 0.2}, {"protocol": "z/z"}):
        assert not torch.equal(pointclouds(tmp_path, **SMALL, **options).splits["train"]["points"], plain)


def test_writing_to_the_data_of_one_task_leaves_the_cache_alone(tmp_path):
    before = pointclouds(tmp_path, **SMALL).splits["val"]["points"].clone()
    pointclouds(tmp_path, **SMALL).splits["val"]["points"].zero_()
    assert torch.equal(pointclouds(tmp_path, **SMALL).splits["val"]["points"], before)


def test_loss_and_accuracy(tmp_path):
    task = pointclouds(tmp_path, **SMALL, label_smoothing=0.3)
    batch = select(task.splits["val"], slice(0, 4))
    logits = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))
    target = 0.7 * nn.functional.one_hot(batch["label"], 12) + 0.3 / 12
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(task.loss({"logits": logits}, batch), expected)
    logits[1:3] = 10.0 * nn.functional.one_hot(batch["label"][1:3], 12)
    logits[0] = -10.0 * nn.functional.one_hot(batch["label"][0], 12)
    accuracy = task.errors({"logits": logits}, batch)["accuracy"]
    assert accuracy[:3].tolist() == [0.0, 1.0, 1.0]


def test_graphs_contain_points_alone(tmp_path):
    task = pointclouds(tmp_path, **SMALL)
    graph = task.graph(select(task.splits["val"], torch.tensor([3, 5])))
    assert graph.topology is None
    assert graph.graphs == 2
    torch.testing.assert_close(graph.positions[32:], task.splits["val"]["points"][5])


def test_a_file_is_refused_if_the_source_is_generated(tmp_path):
    with pytest.raises(
        BadInput, match=r"^task\.path: source 'solids' is generated; set task\.source to the f"
    ):
        pointclouds(tmp_path, **SMALL, path="mine.npz")


def test_options_are_checked_by_name():
    description = registry.resolve("task", {"name": "pointclouds", "points": 64})
    assert description["protocol"] == "SO3/SO3"
    with pytest.raises(BadInput, match=r"task\.protocol"):
        registry.resolve("task", {"name": "pointclouds", "protocol": "SO3/z"})
