"""Labeled point clouds: the common form into which every source is read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.errors import BadInput

SMALLEST, LARGEST = 1e-15, 1e15  # sizes of clouds whose squares float32 can hold


@dataclass(frozen=True)
class Clouds:
    """Clouds that all have the same number of points.

    Attributes:
        points: (clouds, points, 3) float32, in the source's own unit and pose, z upwards, the origin anywhere.
        labels: (clouds,) int64, 0 .. classes - 1.
    """

    points: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: np.ndarray) -> "Clouds":
        """The clouds at index (count,)."""
        return Clouds(self.points[index], self.labels[index])


@dataclass(frozen=True)
class Collection:
    """All clouds of a source.

    Attributes:
        pool: For training and validation.
        test: None if the source has no separate test set.
        classes: Number of classes.
    """

    pool: Clouds
    test: Clouds | None
    classes: int

    def divided(self, train: int, val: int, test: int, seed: int, path: Path) -> dict[str, Clouds]:
        """Random splits of these sizes, by name.

        Raises:
            BadInput: If there are too few clouds; the message names `path`.
        """
        random = np.random.default_rng(seed)
        order = random.permutation(len(self.pool))
        held_out = self.pool.at(order[val + train :])
        if self.test is not None:
            held_out = self.test.at(random.permutation(len(self.test)))
        if train + val > len(self.pool) or test > len(held_out):
            raise BadInput(
                f"task.train: {train} training, {val} validation and {test} test clouds, but {path} has "
                f"{len(self.pool)} for the first two and {len(held_out)} for the last; ask for fewer"
            )
        return {
            "train": self.pool.at(order[val : val + train]),
            "val": self.pool.at(order[:val]),
            "test": held_out.at(np.arange(test)),
        }


def check_clouds(points: np.ndarray, labels: np.ndarray, path: Path, classes: int, least: int) -> Clouds:
    """The arrays as Clouds.

    Args:
        least: Number of points that each cloud must have at least.

    Raises:
        BadInput: If the arrays are not valid clouds; the message names file and sample.
    """
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype.kind not in "fiu":
        raise BadInput(
            f"{path}: points are {points.dtype} {points.shape}, expected numbers (clouds, points, 3)"
        )
    if labels.shape == (len(points), 1):
        labels = labels[:, 0]
    if labels.shape != (len(points),) or labels.dtype.kind not in "iu":
        raise BadInput(
            f"{path}: labels are {labels.dtype} {labels.shape}, expected whole numbers ({len(points)},)"
        )
    if len(points) == 0:
        raise BadInput(f"{path}: contains no clouds")
    if points.shape[1] < least:
        raise BadInput(f"{path}: clouds of {points.shape[1]} points, but task.points requires {least}")
    finite = np.isfinite(points).all((1, 2))
    if not finite.all():
        raise BadInput(f"{path}: sample {np.argmin(finite)}: coordinates are NaN or infinite")
    if points.dtype != np.float32:  # far from the origin, float32 would lose the shape
        points = points - points.mean(1, keepdims=True, dtype=np.float64)
    extents = np.ptp(points, axis=1).max(1)
    if not extents.all():
        raise BadInput(f"{path}: sample {np.argmin(extents)}: an empty cloud, all its points in one place")
    usable = (extents > SMALLEST) & (extents < LARGEST)
    if not usable.all():
        sample = np.argmin(usable)
        raise BadInput(
            f"{path}: sample {sample}: a cloud of size {extents[sample]:.3g}, beyond what float32 can normalize; "
            "use another unit of length"
        )
    known = (labels >= 0) & (labels < classes)
    if not known.all():
        sample = np.argmin(known)
        raise BadInput(
            f"{path}: sample {sample}: label {labels[sample]} is not in 0 .. {classes - 1}; "
            "number the classes from 0 without gaps"
        )
    return Clouds(points.astype(np.float32), labels.astype(np.int64))


def draw_points(clouds: Clouds, count: int, generator: np.random.Generator, path: Path) -> Clouds:
    """The clouds with `count` of their points each, drawn at random.

    Raises:
        BadInput: If those of a cloud are all in one place; the message names file and sample.
    """
    points = choose_points(clouds.points, count, generator)
    apart = np.ptp(points, axis=1).max(1) > SMALLEST
    if not apart.all():
        raise BadInput(
            f"{path}: sample {np.argmin(apart)}: its {count} drawn points coincide; "
            "raise task.points or remove padding"
        )
    return Clouds(points, clouds.labels)


def choose_points(points: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """(clouds, points, 3) -> (clouds, count, 3): a random subset of each cloud."""
    if count == points.shape[1]:
        return points
    keys = generator.random(points.shape[:2], dtype=np.float32)
    chosen = np.argpartition(keys, count - 1, axis=1)[:, :count]
    return np.take_along_axis(points, chosen[:, :, None], axis=1)
