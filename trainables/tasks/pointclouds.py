"""Classification of point clouds, with the same or different poses in training and test.

Clouds are centered on the mean of their points, and the farthest point has distance 1 (before augmentation).
The answer does not change under rotations; mirror images may be another class.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.graph import Graph, Signature
from trainables.spec import later
from trainables.symmetry import Symmetry
from trainables.tasks.cache import Arrays, cached_arrays
from trainables.tasks.cloud_augmentation import Augment
from trainables.tasks.sources.cloud_files import Source, files_of, splits_of
from trainables.tasks.sources.poses import Poses, augmented, normalized, turned
from trainables.tasks.task import Split, Task, samples_at_once

POSES: dict[str, tuple[Poses, Poses]] = {"z/z": ("z", "z"), "z/SO3": ("z", "SO3"), "SO3/SO3": ("SO3", "SO3")}
"""The poses of each protocol in training and in the test set."""


def pointclouds(
    folder: Path,
    *,
    source: Source = "solids",
    path: str | None = None,
    points: Annotated[int, Field(ge=8)] = 128,
    train: Annotated[int, Field(ge=1)] = 2000,
    val: Annotated[int, Field(ge=1)] = 500,
    test: Annotated[int, Field(ge=1)] = 1000,
    protocol: Literal["z/z", "z/SO3", "SO3/SO3"] = "SO3/SO3",
    scale: Annotated[float, Field(ge=1, le=10)] = 1.0,
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.0,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    seed: Annotated[int, Field(ge=0)] = 43,
    augment: Annotated[Augment, later()] = Augment(),  # noqa: B008
) -> Task:
    """The task with its data from the cache in `folder`, made from the source first if absent.

    Args:
        source: Solids are generated; the other sources are read from files.
        path: Path of the files, relative to `folder`; None for the usual name of the source.
        points: Number of points in each cloud, drawn at random from those in the source.
        train, val, test: Numbers of clouds; validation is drawn from the source's training part, and so is the test
            set if the source has none.
        protocol: Poses in training and validation / in the test: rotated about the z axis, or about any axis.
        scale, jitter, dropout: Augmentation of the training clouds, drawn once: see sources.poses.augmented.
        augment: Augmentation redrawn in every step, as in published trainings; see
            cloud_augmentation.Augment.

    Raises:
        BadInput: If files are missing, damaged or contain fewer clouds than requested.
    """
    sizes = {"train": train, "val": val, "test": test}
    training_poses, test_poses = POSES[protocol]
    files = files_of(source, Path(folder), path)
    version = 1 if source == "solids" else 3  # raised when unchanged files give other arrays
    content = {
        "source": source, "files": [_identity(file) for file in files], "points": points, **sizes,
        "protocol": protocol, "scale": scale, "jitter": jitter, "dropout": dropout, "seed": seed, "version": version,
    }  # fmt: skip

    def make() -> Arrays:
        splits, classes = splits_of(source, Path(folder), path, points, sizes, seed)
        arrays = {"classes": np.array(classes)}
        for stream, (name, clouds) in enumerate(splits.items()):
            random = np.random.default_rng([seed, stream])
            prepared = normalized(clouds.points)
            if name == "train":
                prepared = augmented(prepared, scale, jitter, dropout, random)
            prepared = turned(prepared, test_poses if name == "test" else training_poses, random)
            arrays |= {f"{name}_points": prepared.astype(np.float32), f"{name}_label": clouds.labels}
        return arrays

    arrays = cached_arrays(folder, "pointclouds", content, make)
    splits = {
        name: {
            "points": torch.from_numpy(arrays[f"{name}_points"]).to(torch.get_default_dtype()),
            "label": torch.from_numpy(arrays[f"{name}_label"]),
        }
        for name in sizes
    }
    return PointClouds(splits, int(arrays["classes"]), label_smoothing, augment)


def _identity(file: Path) -> list[str | int]:
    status = file.stat()
    return [str(file), status.st_size, status.st_mtime_ns]


class PointClouds(Task):
    """Splits contain points (samples, points, 3) and label (samples,).

    The model returns logits (samples, classes); the loss is their cross-entropy, the metric the share of
    clouds whose largest logit is that of their class. The trivial predictor predicts the most frequent class.
    """

    symmetry = Symmetry(inversion=False, translations=False)
    metric = "accuracy"
    metric_goal = "max"
    metric_ideal, loss_ideal = 1.0, 0.0

    def __init__(
        self,
        splits: dict[str, Split],
        classes: int,
        label_smoothing: float = 0.0,
        augment: Augment = Augment(),  # noqa: B008
    ) -> None:
        self.splits = splits
        self.augmentation = augment
        self.label_smoothing = label_smoothing
        self.signature = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=classes)
        self.evaluation_batch = samples_at_once(50, splits["val"]["points"].shape[1])
        val = splits["val"]["label"]
        self.trivial = float(val.bincount().max() / len(val))

    def augment(self, split: Split, generator: torch.Generator) -> Split:
        return {**split, "points": self.augmentation(split["points"], generator)}

    def graph(self, split: Split) -> Graph:
        points = split["points"]
        clouds, count, _ = points.shape
        return Graph(
            positions=points.flatten(0, 1),
            scalars=points.new_empty(clouds * count, 0),
            vectors=points.new_empty(clouds * count, 0, 3),
            edge_scalars=points.new_empty(0, 0),
            topology=None,
            graphs=clouds,
        )

    def predict(self, model: nn.Module, graph: Graph) -> dict[str, Tensor]:
        """Logits (clouds, classes)."""
        return {"logits": model(graph)}

    def loss(self, prediction: dict[str, Tensor], split: Split) -> Tensor:
        return F.cross_entropy(prediction["logits"], split["label"], label_smoothing=self.label_smoothing)

    def errors(self, prediction: dict[str, Tensor], split: Split) -> dict[str, Tensor]:
        """accuracy, 0 or 1 for each cloud, (samples,)."""
        right = prediction["logits"].argmax(1) == split["label"]
        return {"accuracy": right.to(prediction["logits"].dtype)}

    def rotate_targets(self, split: Split, matrices: Tensor) -> Split:
        return split
