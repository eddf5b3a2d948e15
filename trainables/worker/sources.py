"""Hashes of what determines a trial's numbers besides its spec: data files and the user's modules."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from trainables.spec import TrialSpec

PROJECT = "trainables"

_imported: dict[ModuleType, str | None] = {}
"""The hashes of the users' modules, as this process first read them."""


def sources(spec: TrialSpec, data_folder: Path, code: str) -> dict[str, str]:
    """Name -> 12 hexadecimal digits of the hash of its content, for all files found on this machine.

    Data files are named by their path in the data folder; each `package.module:Name` of the spec (task,
    model, method, schedule, optimizer) counts as its module, without that module's imports; this project as
    `code`, its `code_hash`. Modules are imported, and hashed as this process first read them.
    """
    hashes = {f"module {name}": _module_hash(name) for name in _modules(spec)}
    hashes |= {_data_name(path, data_folder): _digest(path) for path in _data_files(spec.task, data_folder)}
    return {**{name: digest for name, digest in hashes.items() if digest is not None}, PROJECT: code}


def data_of(sources: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The name and hash of each data file among the sources."""
    return tuple((name, digest) for name, digest in sources.items() if name.startswith("data "))


def changed(now: dict[str, str], before: dict[str, str]) -> list[str]:
    """The names in both whose content differs, except this project, whose changes are recorded by revisions."""
    return [name for name, digest in now.items() if name != PROJECT and before.get(name, digest) != digest]


def _modules(spec: TrialSpec) -> list[str]:
    named = [*(block.get("name") for block in (spec.task, spec.model, spec.method)), spec.training.optimizer]
    named += [value for value in spec.method.values() if isinstance(value, str)]
    modules = [name.partition(":")[0] for name in named if isinstance(name, str) and ":" in name]
    return list(dict.fromkeys(modules))


def _module_hash(name: str) -> str | None:
    """The hash of a module's file; an edit after the import does not change it, since the old code still runs."""
    try:
        found = find_spec(name)
        origin = found.origin if found is not None and found.has_location else None
        digest = _digest(Path(origin)) if origin else None
        return _imported.setdefault(import_module(name), digest)
    except (Exception, SystemExit):  # importing a user's module may raise anything; building it says what
        return None


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
        case "mocap":
            from trainables.tasks.mocap import PUBLIC

            if task["subject"] is None:
                yield from (folder / path for path in PUBLIC)
            else:
                subject = folder / task["subject"]
                yield from sorted([*subject.glob("*.asf"), *subject.glob("*.amc")])


def _data_name(path: Path, folder: Path) -> str:
    """A name that does not depend on where the data folder is; a file outside it keeps its own name."""
    return f"data {path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name}"


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
