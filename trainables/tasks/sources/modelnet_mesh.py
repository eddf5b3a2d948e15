"""ModelNet10 and ModelNet40 (Wu et al. 2015, arXiv 1406.5670) as meshes, `<class>/{train,test}/*.off`, z upwards."""

from pathlib import Path

import numpy as np

from trainables.errors import BadInput
from trainables.tasks.sources.clouds import Clouds, Collection
from trainables.tasks.sources.off_mesh import read_off

PARTS = ("train", "test")


def list_files(folder: Path) -> list[Path]:
    """All meshes, sorted by class, part and name.

    The classes may be in `folder` itself or, as in torch-geometric, in `folder`/raw. Any subset will do.

    Raises:
        BadInput: If there are none for training or none for the test.
    """
    root = folder / "raw" if (folder / "raw").is_dir() else folder
    files = [path for part in PARTS for path in root.glob(f"*/{part}/*") if path.suffix.lower() == ".off"]
    found = {path.parent.name for path in files}
    for part in PARTS:
        if part not in found:
            raise BadInput(f"{folder}: has no <class>/{part}/*.off; put the meshes of ModelNet there")
    return sorted(files)


def read_meshes(folder: Path, points: int, seed: int) -> Collection:
    """All meshes as clouds of `points` points, uniform on their surfaces.

    Raises:
        BadInput: If a file is not such a mesh.
    """
    files = list_files(folder)
    classes = sorted({path.parts[-3] for path in files})
    random = np.random.default_rng(seed)
    clouds = {path: sample_surface(*read_off(path), points, path, random) for path in files}
    pool, test = (
        _gather({path: cloud for path, cloud in clouds.items() if path.parent.name == part}, classes)
        for part in PARTS
    )
    return Collection(pool, test, len(classes))


def _gather(clouds: dict[Path, np.ndarray], classes: list[str]) -> Clouds:
    labels = [classes.index(path.parts[-3]) for path in clouds]
    return Clouds(np.stack(list(clouds.values())).astype(np.float32), np.array(labels, dtype=np.int64))


def sample_surface(
    vertices: np.ndarray, triangles: np.ndarray, count: int, path: Path, random: np.random.Generator
) -> np.ndarray:
    """(count, 3) points, uniform on the triangles.

    The vertices are centered first: in float32 a mesh far from its origin would lose its shape.

    Raises:
        BadInput: If there is no surface; the message names `path`.
    """
    corners = (vertices - vertices.mean(0))[triangles] if len(vertices) else np.empty((0, 3, 3))
    sides = corners[:, 1:] - corners[:, :1]
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    total = areas.sum()
    if not (np.isfinite(total) and total > 0):
        raise BadInput(f"{path}: an empty mesh, or one with coordinates that are NaN or infinite")
    chosen = random.choice(len(areas), count, p=areas / total)
    # A point of the parallelogram beyond the diagonal is folded back into the triangle.
    weights = random.random((count, 2))
    weights = np.where(weights.sum(1, keepdims=True) > 1, 1 - weights, weights)
    return corners[chosen, 0] + (weights[:, :, None] * sides[chosen]).sum(1)
