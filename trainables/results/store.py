"""A results folder, local or remote. Every write is all or nothing.

Locally (and on NFS) a file is written under a temporary name, flushed to disk and renamed; an object store
writes whole objects. Remote folders go through pyarrow (`s3://bucket/prefix`, credentials from the
environment).
"""

import os
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

PAUSES = (1.0, 4.0, 16.0, 64.0, 256.0)  # seconds before each retry


class Unavailable(OSError):
    """Storage stayed unavailable; the message names it."""


class Store(Protocol):
    """Files of one folder, by their path relative to it."""

    uri: str

    def read(self, path: str) -> bytes:
        """The content of a file; raises FileNotFoundError if it does not exist."""

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file.

        Raises:
            OSError: If it cannot be written.
        """

    def delete(self, path: str) -> None:
        """Remove a file if it exists."""

    def names(self, folder: str) -> list[str]:
        """Names of the entries of a folder, sorted; empty if it does not exist."""


class LocalStore:
    """A folder of a mounted file system."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().resolve()
        self.uri = str(self.root)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # A unique name: two writers of one file must not share the unfinished one.
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def delete(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.root / folder) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []


class RemoteStore:
    """A prefix of an object store, by its URI."""

    def __init__(self, uri: str) -> None:
        from pyarrow import fs

        self.uri = uri.rstrip("/")
        self.system, self.prefix = fs.FileSystem.from_uri(self.uri)

    def read(self, path: str) -> bytes:
        with self.system.open_input_file(f"{self.prefix}/{path}") as file:
            return file.read()

    def write(self, path: str, content: bytes) -> None:
        with self.system.open_output_stream(f"{self.prefix}/{path}") as file:
            file.write(content)

    def delete(self, path: str) -> None:
        from pyarrow import fs

        if self.system.get_file_info(f"{self.prefix}/{path}").type != fs.FileType.NotFound:
            self.system.delete_file(f"{self.prefix}/{path}")

    def names(self, folder: str) -> list[str]:
        from pyarrow import fs

        selector = fs.FileSelector(f"{self.prefix}/{folder}", allow_not_found=True)
        return sorted(info.base_name for info in self.system.get_file_info(selector))


class PatientStore:
    """A store that retries for minutes if storage fails: disks are cleared, servers come back.

    Raises:
        Unavailable: If storage still fails after the last retry.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.uri = store, store.uri

    def read(self, path: str) -> bytes:
        return self._persist(self.store.read, path)

    def write(self, path: str, content: bytes) -> None:
        self._persist(self.store.write, path, content)

    def delete(self, path: str) -> None:
        self._persist(self.store.delete, path)

    def names(self, folder: str) -> list[str]:
        return self._persist(self.store.names, folder)

    def _persist(self, call: Callable[..., Any], *arguments: Any) -> Any:
        for pause in (*PAUSES, None):
            try:
                return call(*arguments)
            except (FileNotFoundError, NotADirectoryError):
                raise
            except OSError as error:
                if pause is None:
                    reason = " ".join(str(error).split())[:300]
                    raise Unavailable(f"{self.uri} cannot be read or written ({reason})") from error
                time.sleep(pause)


def open_store(uri: str | Path) -> Store:
    """The store behind a path or a URI."""
    return RemoteStore(str(uri)) if "://" in str(uri) else LocalStore(uri)


def read_all(store: Store, paths: Iterable[str]) -> dict[str, bytes]:
    """The contents of those of `paths` that exist, read in parallel, since remote reads mostly wait."""

    def read(path: str) -> bytes | None:
        try:
            return store.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    paths = list(paths)
    with ThreadPoolExecutor(16) as pool:
        contents = pool.map(read, paths)
        return {path: content for path, content in zip(paths, contents, strict=True) if content is not None}
