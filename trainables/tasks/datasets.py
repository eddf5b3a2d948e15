"""Public data sets: where each file comes from, its hash, its license, and how to fetch it.

Imports neither torch nor ray. Files are fetched over https only, and kept only if their SHA-256 is right.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from trainables.errors import BadInput, nearest


@dataclass(frozen=True)
class Source:
    """One file of a data set: its place in the data folder, its address and the SHA-256 of its content."""

    path: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """The files of a data set, their license and the citation."""

    sources: tuple[Source, ...]
    license: str
    citation: str


_BOTNET = (
    "https://raw.githubusercontent.com/davkovacs/BOTNet-datasets/29e6d467317e4b5967b7ea5cbee54de953fa0d45"
)


def _botnet(path: str, remote: str, sha256: str) -> Source:
    return Source(f"botnet/{path}", f"{_BOTNET}/{remote}", sha256)


DATASETS: dict[str, Dataset] = {
    "ethanol": Dataset(
        (
            _botnet(
                "ethanol_train.xyz",
                "dataset_ethanol/train.xyz",
                "a26a16d8910581fa321fedc3bd3dfe31f2460e8cbfdc7a8f65243f4fd7250dd0",
            ),
            _botnet(
                "ethanol_test_MD.xyz",
                "dataset_ethanol/test_MD.xyz",
                "b8726933d5b9083989d8e3cc7013c18e0950cf0cbc6f6cd570fdb9759001031c",
            ),
            _botnet(
                "ethanol_isolated_atoms.xyz",
                "dataset_ethanol/isolated_atoms.xyz",
                "a2a662390f31ad623ce493038e680bc34214f88d4432566bf8fbd0761be57583",
            ),
        ),
        "MIT",
        "Christensen and von Lilienfeld 2020 (rMD17); Batatia et al. 2022, arXiv 2205.06643",
    ),
    "acetylacetone": Dataset(
        (
            _botnet(
                "acac_train_300K.xyz",
                "dataset_acac/train_300K.xyz",
                "8f5706d6902360555a5be59395612d2afc3489a75688388a58e7275fdad68af3",
            ),
            _botnet(
                "acac_test_MD_300K.xyz",
                "dataset_acac/test_MD_300K.xyz",
                "2291f3186a3cc6a5e05e92952c84a9237ca53f862d78fd3316a769360719ec43",
            ),
            _botnet(
                "acac_test_MD_600K.xyz",
                "dataset_acac/test_MD_600K.xyz",
                "d5a5bba154ec43f915eb7529f86ec3af60e6f911743859daba030181a0378ff7",
            ),
            _botnet(
                "acac_isolated_atoms.xyz",
                "dataset_acac/isolated_atoms.xyz",
                "b74f321b453374621b447d65c60979f70df1b7182c8ee0215388b2c574f33823",
            ),
        ),
        "MIT",
        "Batatia et al. 2022, arXiv 2205.06643",
    ),
}

_ACE = "https://raw.githubusercontent.com/andreimano/ACE/8d6d2ad0183f377ac2115ab268ce087c9ac79984/EGNO/motion/dataset"

DATASETS["mocap"] = Dataset(
    (
        Source(
            "mocap/motion_run.pkl",
            f"{_ACE}/motion_run.pkl",
            "0d299bb8f9e20478b79a3d93170191cc2fb5913494b699349c672101ea75d1d0",
        ),
        Source(
            "mocap/split_run.pkl",
            f"{_ACE}/split_run.pkl",
            "a7a78a05981e14629b5e71d4bb015ea70769c8a08cb7700efc5658a04f0ed10c",
        ),
    ),
    "free for all uses, products included; may not be resold directly, even if converted",
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from "
    "NSF EIA-0196217.",
)

BY_HAND: dict[str, tuple[str, str]] = {
    "modelnet40": (
        "modelnet40_ply_hdf5_2048/ply_data_{train,test}*.h5",
        "shapenet.cs.stanford.edu/media/modelnet40_ply_hdf5_2048.zip",
    ),
    "md17": ("MD17/<molecule>/raw/md17_<molecule>.npz", "quantum-machine.org/gdml/data/npz"),
    "rmd17": ("MD17/raw/rmd17/npz_data/rmd17_<molecule>.npz", "doi.org/10.6084/m9.figshare.12672038"),
}
"""Data sets that the tasks read but a user must place, each with its path in the data folder and its origin.
They are not fetched, since they have no address with a valid https certificate and a published SHA-256."""

Download = Callable[[str, str, object], None]


def fetch(name: str, folder: Path, *, download: Download | None = None) -> list[Path]:
    """The files of the data set `name` in `folder`, downloaded if they are missing or wrong.

    Args:
        download: Saves `url` at `path`, called as download(url, path, pooch); that of pooch if None.

    Raises:
        BadInput: If the name is unknown, the data must be placed by hand, a download fails or has the wrong hash.
    """
    if name in BY_HAND:
        place, origin = BY_HAND[name]
        raise BadInput(
            f"data: '{name}' cannot be fetched with a verified hash; get it from {origin} and save it as "
            f"{Path(folder) / place}"
        )
    if name not in DATASETS:
        raise BadInput(f"data: unknown data set '{name}'; {nearest(name, [*DATASETS, *BY_HAND])}")
    return [_fetch_file(source, Path(folder), download) for source in DATASETS[name].sources]


def _fetch_file(source: Source, folder: Path, download: Download | None) -> Path:
    import pooch

    target = folder / source.path
    if not source.url.startswith("https://"):
        raise BadInput(f"data: {source.url} is not an https address; place the file at {target}")
    try:
        pooch.retrieve(
            source.url,
            f"sha256:{source.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=download or pooch.HTTPDownloader(timeout=60),
        )
    except (OSError, ValueError) as error:
        # Errors of requests are OSErrors without an errno; pooch raises ValueError if the hash is wrong.
        if isinstance(error, OSError) and error.errno is not None:
            raise BadInput(
                f"data: cannot write {target}: {error.strerror}; free some space or set another --data-dir"
            ) from error
        raise BadInput(
            f"data: cannot fetch {source.url}: {_reason(error)}; try again, or place the file at {target}"
        ) from error
    return target


def _reason(error: BaseException) -> str:
    """The first line of the message of the innermost of nested errors."""
    first = error.args[0] if error.args else error
    if isinstance(first, BaseException) and first is not error:
        return _reason(first)
    return str(first).splitlines()[0]


def checked_sha256(folder: Path, path: str, key: str) -> str:
    """The SHA-256 of a file of the data folder.

    Args:
        key: The setting that requires the file, for messages.

    Raises:
        BadInput: If the file is missing, or is a public file with other content.
    """
    name, expected = _published(path)
    try:
        digest = sha256(folder / path)
    except OSError as error:
        raise BadInput(
            f"{key}: cannot read {folder / path} ({error.strerror}); {remedy_if_missing(path)}"
        ) from error
    if expected not in (None, digest):
        raise BadInput(
            f"{folder / path}: its SHA-256 is not that of the public file; "
            f"delete it and fetch it again with 'study data {name}'"
        )
    return digest


def remedy_if_missing(path: str) -> str:
    """What to do about a file that is not in the data folder, for messages."""
    name, _ = _published(path)
    if name is not None:
        return f"fetch it with 'study data {name}'"
    for place, origin in BY_HAND.values():
        folder = str(PurePosixPath(place).parent).replace("<molecule>", "*")
        if fnmatch(str(PurePosixPath(path).parent), folder):
            return f"get it from {origin} and put it there"
    return "put it there or set another --data-dir"


def _published(path: str) -> tuple[str, str] | tuple[None, None]:
    """The data set with the file at `path` of the data folder and the SHA-256 of its content, if there is one."""
    for name, dataset in DATASETS.items():
        for source in dataset.sources:
            if source.path == path:
                return name, source.sha256
    return None, None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
