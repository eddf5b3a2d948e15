"""Modules that the current folder would hide from a job: Ray puts the folder it sends first on the path of the nodes.

`study run` looks in the current folder last; a job's processes begin before any code of this project runs.
"""

import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from trainables.errors import BadInput

OURS = ("analysis", "study", "trainables")
ROOT = Path(__file__).parents[2]
INSTALLED = [
    Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")
]


def refuse_hidden(folder: Path) -> None:
    """Check that no module in a folder has the name of one that a job imports.

    Raises:
        BadInput: If one has; the message names the file.
    """
    for name, file in hidden(folder):
        raise BadInput(
            f"the current folder: on the cluster its {file} would hide the module `{name}` that a run imports; "
            "rename it, or submit from another folder"
        )


def hidden(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of our modules and of installed ones imported here, each with the file in the folder that hides it.

    A module that came from no installed package is the user's, wherever it is. A folder without `__init__.py` hides
    nothing: Python uses it only if no module of that name is found.
    """
    folder = folder.resolve()
    if folder == ROOT:
        return
    installed = {name for name in sys.modules if "." not in name and _is_installed(name)}
    for name in sorted({*OURS, *installed}):
        found = PathFinder.find_spec(name, [str(folder)])
        if found is not None and found.origin is not None and Path(found.origin) != _imported_from(name):
            yield name, Path(found.origin).relative_to(folder).as_posix()


def _is_installed(name: str) -> bool:
    """Whether a module is part of the standard library or located where packages are installed."""
    place = _imported_from(name)
    return name in sys.stdlib_module_names or any(place.is_relative_to(folder) for folder in INSTALLED)


def _imported_from(name: str) -> Path:
    return Path(getattr(sys.modules.get(name), "__file__", None) or "/").resolve()
