"""Augmentation drawn anew in each training step on point clouds."""

import pytest
import torch

from trainables import registry
from trainables.tasks.cloud_augmentation import Augment
from trainables.tasks.task import select


def clouds(count=400, points=50):
    drawn = torch.randn(count, points, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return drawn - drawn.mean(1, keepdim=True)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_defaults_change_nothing():
    points = clouds()
    assert Augment()(points, draws()) is points


def test_each_cloud_has_its_own_factor_within_the_bounds():
    points = clouds()
    ratios = Augment(scale=1.25)(points, draws()) / points
    torch.testing.assert_close(ratios, ratios[:, :1, :1].expand_as(ratios))
    factors = ratios[:, 0, 0]
    assert 0.8 <= factors.min() < 0.82 < 1.23 < factors.max() <= 1.25


def test_each_cloud_is_shifted_as_a_whole_within_the_bounds():
    points = clouds()
    shifts = Augment(shift=0.1)(points, draws()) - points
    torch.testing.assert_close(shifts, shifts[:, :1].expand_as(shifts))
    assert -0.1 <= shifts.min() < -0.099 < 0.099 < shifts.max() <= 0.1


def test_jitter_is_noise_on_every_coordinate():
    points = clouds()
    noise = Augment(jitter=0.02)(points, draws()) - points
    assert noise.std().item() == pytest.approx(0.02, rel=0.02)
    assert abs(noise.mean().item()) < 1e-3


def test_dropped_points_become_the_first_one_and_their_share_differs_by_cloud():
    points = clouds()
    augmented = Augment(dropout=0.8)(points, draws())
    first = (augmented == points[:, :1]).all(-1)
    assert ((augmented == points).all(-1) | first).all()
    shares = first[:, 1:].double().mean(1)
    assert shares.mean().item() == pytest.approx(0.4, abs=0.03)
    assert shares.min() < 0.05
    assert 0.7 < shares.max() < 0.98


def test_the_draws_are_decided_by_the_generator():
    everything = Augment(scale=1.25, shift=0.1, jitter=0.01, dropout=0.5)
    once, again, other = (everything(clouds(), draws(seed)) for seed in (3, 3, 4))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_a_task_augments_its_batches_only_if_requested(tmp_path):
    sizes = {"name": "pointclouds", "points": 16, "train": 8, "val": 8, "test": 8}
    plain = registry.resolve("task", sizes)
    assert "augment" not in plain, "the ids of trials without it stay what they were"
    described = registry.resolve("task", {**sizes, "augment": {"scale": 1.5, "jitter": 0.01}})
    for description, changed in ((plain, False), (described, True)):
        task = registry.build("task", description, tmp_path)
        batch = select(task.splits["train"], slice(0, 4))
        augmented = task.augment(batch, draws())
        assert torch.equal(augmented["points"], batch["points"]) != changed
        assert torch.equal(augmented["label"], batch["label"])
