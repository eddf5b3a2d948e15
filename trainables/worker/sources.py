"""Hashes of what determines a trial's numbers besides its spec: data files and the user's modules."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainables.spec import TrialSpec

PROJECT = "trainables"


def sources(spec: TrialSpec, data_folder: Path, code: str) -> dict[str, str]:
    """Name -> 12 hexadecimal digits of the hash of its content, for all files found on this machine.

    Data files are named by their path in the data folder; each `package.module:Name` of the spec (task,
    model, method, schedule, optimizer) counts as its module, without that module's imports; this project as
    `code`, its `code_hash`.
    """
    files = {f"module {name}": path for name in _modules(spec) if (path := _file_of(name)) is not None}
    files |= {f"data {_shown(path, data_folder)}": path for path in _data_files(spec.task, data_folder)}
    hashes = {name: digest for name, path in files.items() if (digest := _digest(path)) is not None}
    return {**hashes, PROJECT: code}


def changed(now: dict[str, str], before: dict[str, str]) -> list[str]:
    """The names in both whose content differs, except this project, whose changes are recorded by revisions."""
    return [name for name, digest in now.items() if name != PROJECT and before.get(name, digest) != digest]


def _modules(spec: TrialSpec) -> list[str]:
    named = [*(block.get("name") for block in (spec.task, spec.model, spec.method)), spec.training.optimizer]
    named += [value for value in spec.method.values() if isinstance(value, str)]
    modules = [name.partition(":")[0] for name in named if isinstance(name, str) and ":" in name]
    return list(dict.fromkeys(modules))


def _file_of(module: str) -> Path | None:
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found is not None and found.has_location and found.origin else None


def _data_files(task: dict[str, Any], folder: Path) -> Iterator[Path]:
    """The files of our tasks; those of a user's own task are unknown."""
    match task["name"]:
        case "forces":
            from trainables.tasks.sources.molecules import molecule_files

            files = molecule_files(task["molecule"])
            yield from (folder / path for path in (files.pool, *files.tests.values(), files.atoms) if path)
        case "pointclouds":
            from trainables.errors import BadInput
            from trainables.tasks.sources.cloud_files import files_of

            try:
                yield from files_of(task["source"], folder, task["path"])
            except BadInput:
                return  # not on this machine


def _shown(path: Path, folder: Path) -> str:
    """A name that does not depend on where the data folder is; a file outside it keeps its own name."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _digest(path: Path) -> str | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return _hash(path, status.st_mtime_ns, status.st_size) if path.is_file() else None


@lru_cache(maxsize=20_000)
def _hash(path: Path, modified: int, size: int) -> str:
    """The hash of a file with that modification time and size; each is read once per process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
