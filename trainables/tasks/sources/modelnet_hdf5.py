"""ModelNet40 as HDF5, 2048 points a shape: `modelnet40_ply_hdf5_2048` (Qi et al. 2017, arXiv 1612.00593)."""

from pathlib import Path

import h5py
import numpy as np

from trainables.errors import BadInput
from trainables.tasks.sources.clouds import Clouds, Collection, check_clouds, draw_points
from trainables.tasks.sources.unpacking import check_unpacked_size

CLASSES = 40


def list_files(folder: Path) -> list[Path]:
    """`ply_data_{train,test}*.h5`, sorted.

    Raises:
        BadInput: If either kind is missing.
    """
    files = {part: sorted(folder.glob(f"ply_data_{part}*.h5")) for part in ("train", "test")}
    for part, found in files.items():
        if not found:
            raise BadInput(f"{folder}: has no ply_data_{part}*.h5; put the ModelNet40 HDF5 files there")
    return files["train"] + files["test"]


def read_modelnet(folder: Path, points: int, seed: int) -> Collection:
    """All clouds with `points` of their points, drawn at random; raises BadInput like `check_clouds`."""
    random = np.random.default_rng(seed)
    parts: dict[bool, list[Clouds]] = {True: [], False: []}
    for path in list_files(folder):
        parts["train" in path.stem].append(_read_file(path, points, random))
    pool, test = (
        Clouds(
            np.concatenate([part.points for part in found]), np.concatenate([part.labels for part in found])
        )
        for found in (parts[True], parts[False])
    )
    return Collection(_upright(pool), _upright(test), CLASSES)


def _read_file(path: Path, points: int, random: np.random.Generator) -> Clouds:
    try:
        with h5py.File(path, "r") as file:
            if not {"data", "label"} <= set(file):
                raise ValueError(f"it has {', '.join(list(file)[:20]) or 'nothing'}")
            check_unpacked_size(file["data"].nbytes + file["label"].nbytes, path)
            data, label = file["data"][()], file["label"][()]
    except BadInput:
        raise
    except Exception as error:  # h5py may raise anything on a damaged file
        raise BadInput(
            f"{path}: not a ModelNet40 HDF5 file with 'data' and 'label', or cut short ({error})"
        ) from error
    clouds = check_clouds(data, label, path, CLASSES, points)
    return draw_points(clouds, points, random, path)


def _upright(clouds: Clouds) -> Clouds:
    """The clouds with z upwards, which is y in the files."""
    x, y, z = np.moveaxis(clouds.points, 2, 0)
    return Clouds(np.stack([x, -z, y], axis=2), clouds.labels)
