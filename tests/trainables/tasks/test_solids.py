"""Every family of solids is the surface that it is named for, evenly covered and distinct from the others."""

import numpy as np
import pytest
import torch

from trainables.tasks.pointclouds import pointclouds
from trainables.tasks.sources.poses import normalized
from trainables.tasks.sources.solids import FAMILIES, solids

SMALL = {"points": 32, "train": 24, "val": 12, "test": 12}


@pytest.fixture
def random():
    return np.random.default_rng(5)


def test_solids_have_twelve_equally_frequent_classes(tmp_path):
    task = pointclouds(tmp_path, **SMALL)
    assert task.signature.outputs == len(FAMILIES) == 12
    assert (task.splits["train"]["label"].bincount() == 2).all()
    assert task.splits["train"]["points"].shape == (24, 32, 3)
    assert task.trivial == pytest.approx(1 / 12)


def test_smaller_sets_of_solids_are_the_beginning_of_larger_ones():
    few, many = solids(20, 16, seed=1, stream=0), solids(300, 16, seed=1, stream=0)
    np.testing.assert_array_equal(few.points, many.points[:20])
    np.testing.assert_array_equal(few.labels, many.labels[:20])
    assert not np.allclose(few.points, solids(20, 16, seed=1, stream=1).points)
    assert not np.allclose(few.points, solids(20, 16, seed=2, stream=0).points)


@pytest.mark.parametrize("name", ["ellipsoid", "torus", "cylinder", "cone", "box", "dome", "octahedron"])
def test_families_are_the_surfaces_they_are_named_for(name, random):
    points = FAMILIES[name]((40, 400), random)
    x, y, z = np.moveaxis(points, 2, 0)
    radius = np.hypot(x, y)
    low, high = z.min(1, keepdims=True), z.max(1, keepdims=True)
    level = (z - low) / (high - low)

    def off_slope(inwards):
        """How far |z| is from being proportional to the distance inwards."""
        side = np.where(np.abs(z) > 1e-9, np.abs(z) / np.maximum(inwards, 1e-9), np.nan)
        return np.abs(inwards - np.abs(z) / np.nanmedian(side, axis=1, keepdims=True))

    off_surface = {
        "ellipsoid": np.abs(radius**2 + z**2 - 1),
        "torus": np.ptp((radius - 1) ** 2 + z**2, axis=1),
        "cylinder": np.minimum(np.abs(radius - 1), np.minimum(level, 1 - level)),
        "cone": np.minimum(off_slope(1 - radius), np.abs(z)),
        "box": np.minimum(np.abs(np.abs(x) + np.abs(y) - 1), np.minimum(level, 1 - level)),
        "dome": np.minimum(np.abs(radius**2 + z**2 - 1), np.abs(z)),
        "octahedron": off_slope(1 - np.abs(x) - np.abs(y)),
    }[name]
    assert off_surface.max() < 0.02


@pytest.mark.parametrize("name", ["box", "cone", "tetrahedron"])
def test_flat_and_tapered_surfaces_are_covered_evenly(name, random):
    """The mean height of the surface agrees with the areas of its faces."""
    corners = {"box": 4, "cone": 60, "tetrahedron": 3}[name]
    points = FAMILIES[name]((200, 2000), random)
    height = points[..., 2].max(1)
    face = 0.5 * corners * np.sin(2 * np.pi / corners)
    edge = 2 * corners * np.sin(np.pi / corners)
    if name == "box":
        expected = np.full(200, 0.5)
    else:
        # In the sampler the side's area is that of a prism half as high.
        side = edge * height / 2
        expected = side / 3 / (side + face)
    assert np.abs((points[..., 2].mean(1) / height - expected).mean()) < 0.01


def test_every_family_differs_from_every_other_by_some_shape(random):
    """No two classes are the same: the mean sorted distances from the center differ between all families."""
    profiles = []
    for family in FAMILIES.values():
        radii = np.linalg.norm(normalized(family((200, 256), random)), axis=2)
        profiles.append(np.sort(radii, axis=1).mean(0))
    distances = np.abs(np.array(profiles)[:, None] - np.array(profiles)).max(2)
    assert distances[~np.eye(12, dtype=bool)].min() > 0.01


@pytest.mark.slow
def test_distances_between_points_do_not_separate_the_classes():
    """Classify by the five nearest neighbors among histograms of all distances, which no rotation changes."""
    train, test = (solids(count, 128, seed=1, stream=stream) for stream, count in enumerate([2400, 600]))
    profiles = []
    for clouds in (train, test):
        points = torch.from_numpy(normalized(clouds.points))
        histograms = [torch.histc(torch.pdist(cloud), 40, 0, 2) for cloud in points]
        profiles.append(torch.stack(histograms).sqrt())
    nearest = torch.cdist(profiles[1], profiles[0]).topk(5, largest=False).indices
    votes = torch.from_numpy(train.labels)[nearest].mode(1).values
    accuracy = (votes == torch.from_numpy(test.labels)).double().mean()
    assert 0.4 < accuracy < 0.7
