"""The two-sample test finds preferred directions in data if and only if they have some."""

import numpy as np
import pytest
import torch

from trainables.symmetry import random_rotations, rotate_nodes
from trainables.tasks.anisotropy import (
    anisotropy,
    area_under_roc,
    held_out_areas,
    mean_with_interval,
    of_training_data,
)
from trainables.tasks.nbody import NBody, nbody
from trainables.tasks.task import Task


@pytest.fixture(scope="module")
def isotropic(tmp_path_factory) -> Task:
    return nbody(tmp_path_factory.mktemp("data"), train=600, val=2, test=2)


def test_isotropic_data_are_not_distinguished_from_rotated_data(isotropic):
    """Velocities have random directions; positions are normally distributed and seldom touch the box."""
    found = anisotropy(isotropic)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.15


def test_upright_data_are_distinguished_from_rotated_data(isotropic):
    split = isotropic.splits["train"]
    upright = split | {"positions": split["positions"] * torch.tensor([0.5, 2.0, 0.5])}
    assert anisotropy(NBody({"train": upright, "val": upright})).low > 0.8
    matrices = random_rotations(len(upright["positions"]), torch.Generator().manual_seed(3))
    turned = upright | {
        key: rotate_nodes(upright[key].flatten(0, 1), matrices).view_as(upright[key])
        for key in ("positions", "velocities")
    }
    assert anisotropy(NBody({"train": turned, "val": turned})).auc == pytest.approx(0.5, abs=0.1)


def test_a_common_drift_is_detected(isotropic):
    split = isotropic.splits["train"]
    falling = split | {"velocities": split["velocities"] - torch.tensor([0.0, 0.5, 0.0])}
    assert anisotropy(NBody({"train": falling, "val": falling})).low > 0.8


def test_area_counts_pairs():
    labels = np.array([False, False, True, True])
    assert area_under_roc(np.array([1.0, 3.0, 2.0, 4.0]), labels) == 0.75
    assert area_under_roc(np.array([1.0, 1.0, 1.0, 1.0]), labels) == 0.5


def test_the_interval_is_student_s_with_a_larger_variance():
    found = mean_with_interval(np.array([0.5, 0.6, 0.7]))
    assert found.auc == pytest.approx(0.6)
    assert found.high - found.auc == pytest.approx(4.303 * 0.1 * (1 / 3 + 1 / 2) ** 0.5, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_interval_contains_the_truth(shift):
    """600 data sets of 200 samples with six features, one of them shifted in the samples of one class."""
    random, labels = np.random.default_rng(1), np.arange(200) % 2 == 1
    found = []
    for _ in range(600):
        features = random.standard_normal((200, 6))
        features[labels, 0] += shift
        found.append(mean_with_interval(held_out_areas(features, labels)))
    truth = np.mean([one.auc for one in found]) if shift else 0.5
    assert 0.915 < np.mean([one.low <= truth <= one.high for one in found]) < 0.985


def test_too_few_samples_are_refused(isotropic):
    with pytest.raises(ValueError, match="too few"):
        anisotropy(isotropic, samples=6)


def test_the_numbers_are_computed_once_and_left_out_for_few_samples(isotropic, monkeypatch):
    found = anisotropy(isotropic)
    numbers = {"auc": found.auc, "low": found.low, "high": found.high}
    assert of_training_data(isotropic) == numbers
    monkeypatch.setattr("trainables.tasks.anisotropy.anisotropy", None)
    assert of_training_data(isotropic) == numbers
    few = {key: value[:19] for key, value in isotropic.splits["train"].items()}
    assert of_training_data(NBody({"train": few, "val": few})) == {}


def test_samples_are_taken_a_batch_at_a_time(isotropic, monkeypatch):
    at_once = anisotropy(isotropic)
    monkeypatch.setattr(isotropic, "evaluation_batch", 77)
    assert anisotropy(isotropic).auc == pytest.approx(at_once.auc, abs=1e-3)
