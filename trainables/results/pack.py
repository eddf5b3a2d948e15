"""A results folder in one Parquet file, which every function of the analysis accepts in place of the folder.

The file has a row for each file of the folder, `path` and `content`, zstd-compressed. It contains only data,
and of its paths only those of a results folder are ever written.
"""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trainables.results.folder import CONFIG, PLAN, TRIAL_NAME
from trainables.results.record import history_path, record_path, test_errors_path
from trainables.results.store import Store, open_store, read_all

SCHEMA = pa.schema([("path", pa.string()), ("content", pa.binary())])


class PackedStore:
    """A packed results folder, read only; the store interface of `trainables.results.store`."""

    def __init__(self, file: Path) -> None:
        """Read the file; raises ValueError if it is not one that `pack` wrote."""
        self.uri = str(file)
        content = io.BytesIO(file.read_bytes())
        try:
            table = pq.read_table(content, columns=SCHEMA.names).cast(SCHEMA)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise ValueError(f"{file}: not a packed results folder ({first_line(error)})") from error
        self.files = dict(zip(table["path"].to_pylist(), table["content"].to_pylist(), strict=True))

    def read(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(f"{self.uri}: contains no {path}") from None

    def write(self, path: str, content: bytes) -> None:
        raise OSError(f"{self.uri}: a packed results folder is read-only")

    def delete(self, path: str) -> None:
        raise OSError(f"{self.uri}: a packed results folder is read-only")

    def names(self, folder: str) -> list[str]:
        inside = f"{folder.strip('/')}/"
        return sorted({path[len(inside) :].split("/")[0] for path in self.files if path.startswith(inside)})


def open_source(source: str | Path) -> Store:
    """The store behind a results folder, its URI, or a packed file.

    Raises:
        FileNotFoundError: If a local path does not exist.
        ValueError: If a file is not a packed folder.
    """
    if "://" in str(source):
        return open_store(source)
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{source}: no such results folder")
    return PackedStore(path) if path.is_file() else open_store(path)


def pack(source: str | Path, file: str | Path) -> int:
    """Write config, plan, records, histories and test errors to one Parquet file; returns how many files.

    Args:
        file: A path or a URI.
    """
    files = _files(open_source(source))
    table = pa.table({"path": list(files), "content": list(files.values())}, schema=SCHEMA)
    target, uri = Path(file).expanduser(), str(file).rstrip("/")
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    folder = f"{uri.rpartition('/')[0]}/" if "://" in uri else target.parent
    open_store(folder).write(target.name, buffer.getvalue())
    return len(files)


def unpack(file: str | Path, target: Store) -> int:
    """Write the files of a packed folder to a results folder without a study, so that a run can extend it.

    Returns:
        The number of files.

    Raises:
        FileExistsError: If the target already contains a study.
        FileNotFoundError, ValueError: As `open_source`.
    """
    files = _files(open_source(file))
    if read_all(target, [CONFIG]):
        raise FileExistsError(f"{target.uri} already contains a study; unpack into a new folder")
    for path, content in reversed(files.items()):  # study.yaml last: until then the command can be repeated
        target.write(path, content)
    return len(files)


def _files(store: Store) -> dict[str, bytes]:
    """Config, plan, records, histories and test errors, by path."""
    paths = [CONFIG, PLAN]
    for trial in filter(TRIAL_NAME.fullmatch, store.names("trials")):
        paths += [record_path(trial), history_path(trial), test_errors_path(trial)]
    return read_all(store, paths)


def first_line(error: Exception) -> str:
    """The first line of an exception's message."""
    return str(error).partition("\n")[0]
