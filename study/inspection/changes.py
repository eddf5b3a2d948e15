"""Whether the records of a results folder have changed, without reading them."""

from collections.abc import Iterator
from contextlib import suppress

from trainables.results.folder import CONFIG, PLAN
from trainables.results.record import record_path
from trainables.results.store import LocalStore, RemoteStore, Store

State = frozenset[tuple[str, int, int]]
"""Path, time of the last change in nanoseconds, and size in bytes of each file that a report is made from."""


def state_of_records(store: Store) -> State:
    """A fingerprint to compare with an earlier one; constant for a packed file, which does not change."""
    if isinstance(store, LocalStore):
        return frozenset(_local(store))
    if isinstance(store, RemoteStore):
        return frozenset(_remote(store))
    return frozenset()


def _local(store: LocalStore) -> Iterator[tuple[str, int, int]]:
    for path in (CONFIG, PLAN, *map(record_path, store.names("trials"))):
        with suppress(FileNotFoundError, NotADirectoryError):
            found = (store.root / path).stat()
            yield path, found.st_mtime_ns, found.st_size


def _remote(store: RemoteStore) -> Iterator[tuple[str, int, int]]:
    """One listing instead of one request per trial."""
    from pyarrow import fs

    ending = record_path("").rpartition("/")[2]
    everything = fs.FileSelector(store.prefix, recursive=True, allow_not_found=True)
    for info in store.system.get_file_info(everything):
        if info.base_name in (CONFIG, PLAN, ending):
            yield info.path, info.mtime_ns, info.size
