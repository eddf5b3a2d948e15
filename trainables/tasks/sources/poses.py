"""Size, augmentation and pose of point clouds, (clouds, points, 3)."""

from typing import Literal

import numpy as np
import torch

from trainables.symmetry import random_rotations, rotations_about

Poses = Literal["z", "SO3"]


def normalized(points: np.ndarray) -> np.ndarray:
    """Clouds centered on the mean of their points, the farthest point at distance 1."""
    centered = points - points.mean(1, keepdims=True)
    return centered / np.linalg.norm(centered, axis=2).max(1)[:, None, None]


def augmented(
    points: np.ndarray, scale: float, jitter: float, dropout: float, random: np.random.Generator
) -> np.ndarray:
    """Clouds times a factor from 1 / scale to scale, with normal noise, and some points replaced by others.

    Args:
        jitter: Standard deviation.
        dropout: The share of replaced points is between 0 and this.
    """
    clouds, count, _ = points.shape
    factors = scale ** random.uniform(-1, 1, (clouds, 1, 1))
    replaced = random.random((clouds, count)) < dropout * random.random((clouds, 1))
    kept = np.where(replaced, random.integers(count, size=(clouds, count)), np.arange(count))
    moved = factors * points + jitter * random.standard_normal(points.shape)
    return np.take_along_axis(moved, kept[:, :, None], axis=1)


def turned(points: np.ndarray, poses: Poses, random: np.random.Generator) -> np.ndarray:
    """Each cloud under a separate random rotation, about the z axis or any axis."""
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    if poses == "SO3":
        rotations = random_rotations(len(points), generator).numpy()
    else:
        angles = torch.from_numpy(2 * np.pi * random.random(len(points)))
        rotations = rotations_about("z", angles).numpy()
    return points @ rotations.transpose(0, 2, 1)
