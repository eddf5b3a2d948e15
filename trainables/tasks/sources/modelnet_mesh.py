"""ModelNet10 and ModelNet40 (Wu et al. 2015, arXiv 1406.5670) as meshes, `<class>/{train,test}/*.off`, z upwards."""

from pathlib import Path

import numpy as np

from trainables.errors import BadInput
from trainables.tasks.sources.clouds import Clouds, Collection

PARTS = ("train", "test")


def list_files(folder: Path) -> list[Path]:
    """All meshes, sorted by class, part and name; BadInput where there are none.

    The classes may lie in `folder` itself or, as torch-geometric has it, in `folder`/raw. Any subset will do.
    """
    root = folder / "raw" if (folder / "raw").is_dir() else folder
    files = [path for part in PARTS for path in root.glob(f"*/{part}/*.off")]
    found = {path.parent.name for path in files}
    for part in PARTS:
        if part not in found:
            raise BadInput(f"{folder}: has no <class>/{part}/*.off; put the meshes of ModelNet there")
    return sorted(files)


def read_meshes(folder: Path, points: int, seed: int) -> Collection:
    """All meshes as clouds of `points` points, uniform on their surfaces; BadInput naming the file."""
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


def read_off(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (vertices, 3) and triangles (triangles, 3) of an OFF file; larger faces are cut into fans."""
    try:
        # In some files of ModelNet the counts follow "OFF" on the same line, without a space.
        magic, body = path.read_text()[:3], path.read_text()[3:]
        if magic != "OFF":
            raise ValueError("does not begin with OFF")
        lines = [line.split("#")[0] for line in body.splitlines()]
        numbers = np.array(" ".join(lines).split(), dtype=np.float64)
        vertex_count, face_count = int(numbers[0]), int(numbers[1])
        vertices = numbers[3 : 3 + 3 * vertex_count].reshape(vertex_count, 3)
        triangles = _triangles(numbers[3 + 3 * vertex_count :].astype(np.int64), face_count)
        if len(triangles) and not 0 <= triangles.min() <= triangles.max() < vertex_count:
            raise ValueError("a face names a vertex that is not there")
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise BadInput(f"{path}: not an OFF mesh, or cut short ({error})") from error
    return vertices, triangles


def _triangles(numbers: np.ndarray, faces: int) -> np.ndarray:
    """(triangles, 3) from the text's faces: each a count and as many vertices."""
    if (numbers[: 4 * faces : 4] == 3).all() and len(numbers) >= 4 * faces:
        return numbers[: 4 * faces].reshape(faces, 4)[:, 1:]
    triangles, start = [], 0
    for _ in range(faces):
        corners = numbers[start + 1 : start + 1 + numbers[start]]
        if len(corners) != numbers[start]:
            raise ValueError("the last face is not whole")
        triangles += [(corners[0], *corners[i : i + 2]) for i in range(1, len(corners) - 1)]
        start += 1 + len(corners)
    return np.array(triangles, dtype=np.int64).reshape(-1, 3)


def sample_surface(
    vertices: np.ndarray, triangles: np.ndarray, count: int, path: Path, random: np.random.Generator
) -> np.ndarray:
    """(count, 3) points, uniform on the triangles; BadInput naming `path` where there is no surface."""
    corners = vertices[triangles]
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
