"""Arrays that are made once per machine and then memory-mapped by every trial on it."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

Arrays = dict[str, np.ndarray]


def cached_arrays(folder: Path, name: str, content: dict[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` returns, from the cache in `folder` or made and stored there.

    If `folder` is not writable, as is common for shared data folders, each process makes them for itself.

    Args:
        content: Everything that determines the arrays, as JSON values; its hash names the cache entry. An
            entry whose files are not as written (truncated, changed in size) is made again. Two processes
            that need the same entry make it once. Arrays are returned memory-mapped; what a process writes to
            them stays private.
    """
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    entry = Path(folder) / "cache" / f"{name}-{digest}"
    arrays = _read(entry)
    if arrays is None:
        try:
            arrays = _made_once(entry, content, make)
        except OSError:
            arrays = make()
    return arrays


def _made_once(entry: Path, content: dict[str, Any], make: Callable[[], Arrays]) -> Arrays:
    entry.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{entry}.lock"):
        arrays = _read(entry)
        if arrays is None:
            arrays = make()
            _write(entry, arrays, content)
            arrays = _read(entry) or arrays
    return arrays


def _read(entry: Path) -> Arrays | None:
    try:
        sizes = json.loads((entry / "contents.json").read_text())["bytes"]
        if any((entry / f"{name}.npy").stat().st_size != size for name, size in sizes.items()):
            return None
        return {name: np.load(entry / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in sizes}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(entry: Path, arrays: Arrays, content: dict[str, Any]) -> None:
    unfinished = entry.with_name(f".{entry.name}.{uuid.uuid4().hex}")
    unfinished.mkdir(parents=True)
    try:
        for name, array in arrays.items():
            np.save(unfinished / f"{name}.npy", array, allow_pickle=False)
        sizes = {name: (unfinished / f"{name}.npy").stat().st_size for name in arrays}
        (unfinished / "contents.json").write_text(json.dumps({"bytes": sizes, "made from": content}))
        shutil.rmtree(entry, ignore_errors=True)
        os.replace(unfinished, entry)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
