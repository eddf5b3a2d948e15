"""Any labeled point clouds in one numpy archive: points (clouds, points, 3), label (clouds,)."""

from pathlib import Path

import numpy as np

from trainables.errors import BadInput
from trainables.tasks.sources.clouds import Collection, check_clouds, draw_points
from trainables.tasks.sources.unpacking import opened_archive


def list_files(path: Path) -> list[Path]:
    """The archive itself.

    Raises:
        BadInput: If it is missing.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file; task.path names an archive with 'points' and 'label'")
    return [path]


def read_archive(path: Path, points: int, seed: int) -> Collection:
    """All clouds with `points` of their points, drawn at random; without a separate test set.

    Labels must be 0 .. classes - 1, each of them present. Raises BadInput like `check_clouds`, and if the
    file is not such an archive.
    """
    with opened_archive(path) as archive:
        if not {"points", "label"} <= set(archive.files):
            found = ", ".join(archive.files[:20]) or "nothing"
            raise BadInput(
                f"{path}: not a numpy archive with 'points' and 'label', it has {found}; rename them"
            )
        arrays = archive["points"], archive["label"]
    classes = len(np.unique(arrays[1]))
    clouds = check_clouds(*arrays, path, classes, points)
    return Collection(draw_points(clouds, points, np.random.default_rng(seed), path), None, classes)
