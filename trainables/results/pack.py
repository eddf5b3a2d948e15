"""A results folder in one Parquet file, which every function of the analysis takes in place of the folder.

The file has a row for each file of the folder, `path` and `content`, zstd-compressed. It holds data only: it
is read into memory and never written to the paths that it names.
"""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trainables.results.folder import CONFIG, PLAN
from trainables.results.record import history_path, record_path, test_errors_path
from trainables.results.store import Store, open_store, read_all

SCHEMA = pa.schema([("path", pa.string()), ("content", pa.binary())])


class PackedStore:
    """A packed results folder, read only; the store interface of `trainables.results.store`."""

    def __init__(self, file: Path) -> None:
        """Read the file; ValueError where it is not one that `pack` wrote."""
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
            raise FileNotFoundError(f"{self.uri}: holds no {path}") from None

    def write(self, path: str, content: bytes) -> None:
        raise OSError(f"{self.uri}: a packed results folder is read only")

    def delete(self, path: str) -> None:
        raise OSError(f"{self.uri}: a packed results folder is read only")

    def names(self, folder: str) -> list[str]:
        inside = f"{folder.strip('/')}/"
        return sorted({path[len(inside) :].split("/")[0] for path in self.files if path.startswith(inside)})


def open_source(source: str | Path) -> Store:
    """The store behind a results folder, its URI, or a packed file.

    Raises:
        FileNotFoundError: If a local path leads nowhere.
        ValueError: If a file is not a packed folder.
    """
    if "://" in str(source):
        return open_store(source)
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{source}: no such results folder")
    return PackedStore(path) if path.is_file() else open_store(path)


def pack(source: str | Path, file: str | Path) -> int:
    """Write config, plan and all that trials left to one Parquet file; returns how many files."""
    store = open_source(source)
    paths = [CONFIG, PLAN]
    for trial in store.names("trials"):
        paths += [record_path(trial), history_path(trial), test_errors_path(trial)]
    files = read_all(store, paths)
    table = pa.table({"path": list(files), "content": list(files.values())}, schema=SCHEMA)
    target = Path(file).expanduser()
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    open_store(target.parent).write(target.name, buffer.getvalue())
    return len(files)


def first_line(error: Exception) -> str:
    """The first line of what an exception says."""
    return str(error).partition("\n")[0]
