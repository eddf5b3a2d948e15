"""The two-sample test finds preferred directions where there are some, and none where there are none."""

import numpy as np
import pytest
import torch

from trainables.symmetry import random_rotations, rotate_nodes
from trainables.tasks.anisotropy import anisotropy, area_under_roc, mean_with_interval
from trainables.tasks.nbody import NBody, nbody
from trainables.tasks.task import Task


@pytest.fixture(scope="module")
def isotropic(tmp_path_factory) -> Task:
    return nbody(tmp_path_factory.mktemp("data"), train=600, val=2, test=2)


def test_isotropic_data_are_not_told_from_turned_ones(isotropic):
    """Velocities have random directions; positions are normal, and seldom touch the box."""
    found = anisotropy(isotropic)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.15


def test_upright_data_are(isotropic):
    split = isotropic.splits["train"]
    upright = split | {"positions": split["positions"] * torch.tensor([0.5, 2.0, 0.5])}
    assert anisotropy(NBody({"train": upright, "val": upright})).low > 0.8
    matrices = random_rotations(len(upright["positions"]), torch.Generator().manual_seed(3))
    turned = upright | {
        key: rotate_nodes(upright[key].flatten(0, 1), matrices).view_as(upright[key])
        for key in ("positions", "velocities")
    }
    assert anisotropy(NBody({"train": turned, "val": turned})).auc == pytest.approx(0.5, abs=0.1)


def test_a_common_drift_is_seen(isotropic):
    split = isotropic.splits["train"]
    falling = split | {"velocities": split["velocities"] - torch.tensor([0.0, 0.5, 0.0])}
    assert anisotropy(NBody({"train": falling, "val": falling})).low > 0.8


def test_area_counts_pairs():
    labels = np.array([False, False, True, True])
    assert area_under_roc(np.array([1.0, 3.0, 2.0, 4.0]), labels) == 0.75
    assert area_under_roc(np.array([1.0, 1.0, 1.0, 1.0]), labels) == 0.5


def test_interval_is_that_of_student():
    found = mean_with_interval(np.array([0.5, 0.6, 0.7]))
    assert found.auc == pytest.approx(0.6)
    assert found.high - found.auc == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)


def test_too_few_samples_are_refused(isotropic):
    with pytest.raises(ValueError, match="too few"):
        anisotropy(isotropic, samples=6)
