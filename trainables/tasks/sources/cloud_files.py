"""The sources of point clouds, and the places of their files."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from trainables.errors import BadInput
from trainables.tasks.sources import cloud_archive, modelnet_hdf5, modelnet_mesh
from trainables.tasks.sources.clouds import Clouds, Collection
from trainables.tasks.sources.solids import FAMILIES, solids

Source = Literal["solids", "modelnet40_hdf5", "modelnet_mesh", "npz"]


class Reader(NamedTuple):
    """How clouds of one source are found and read.

    Attributes:
        usual_path: Default path in the data folder; None if there is none.
        list_files: Returns their files, given the path.
        read: Returns the clouds, given the path, the number of points and a seed.
    """

    usual_path: str | None
    list_files: Callable[[Path], list[Path]]
    read: Callable[[Path, int, int], Collection]


READERS = {
    "modelnet40_hdf5": Reader(
        "modelnet40_ply_hdf5_2048", modelnet_hdf5.list_files, modelnet_hdf5.read_modelnet
    ),
    "modelnet_mesh": Reader("ModelNet10", modelnet_mesh.list_files, modelnet_mesh.read_meshes),
    "npz": Reader(None, cloud_archive.list_files, cloud_archive.read_archive),
}


def files_of(source: Source, folder: Path, path: str | None) -> list[Path]:
    """The files behind a source; none if it is generated.

    Raises:
        BadInput: If they are missing, or generated although a path is given.
    """
    if source != "solids":
        return READERS[source].list_files(_place(source, folder, path))
    if path is not None:
        raise BadInput(
            "task.path: source 'solids' is generated; set task.source to the format of the file, "
            f"one of {', '.join(READERS)}"
        )
    return []


def splits_of(
    source: Source, folder: Path, path: str | None, points: int, sizes: dict[str, int], seed: int
) -> tuple[dict[str, Clouds], int]:
    """Splits of the given sizes (train, val, test), and the number of classes; BadInput as the sources."""
    if source == "solids":
        made = {name: solids(size, points, seed, stream) for stream, (name, size) in enumerate(sizes.items())}
        return made, len(FAMILIES)
    place = _place(source, folder, path)
    collection = READERS[source].read(place, points, seed)
    return collection.divided(**sizes, seed=seed, path=place), collection.classes


def _place(source: Source, folder: Path, path: str | None) -> Path:
    path = path or READERS[source].usual_path
    if path is None:
        raise BadInput(f"task.path: missing; source '{source}' needs the name of its file in the data folder")
    return folder / path
