"""Modules that the current folder would hide from a job: Ray puts the folder it sends first on the path of the nodes.

`study run` looks in the current folder last; a job's processes begin before any code of this project runs.
"""

import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from trainables.errors import BadInput

OURS = ("analysis", "study", "trainables")
ROOT = Path(__file__).parents[2]


def refuse_hidden(folder: Path) -> None:
    """Check that no module in a folder has the name of one that a job imports.

    Raises:
        BadInput: One has; it names the file.
    """
    for name, file in hidden(folder):
        raise BadInput(
            f"the current folder: on the cluster its {file} would hide the module `{name}` that a run imports; "
            "rename it, or submit from another folder"
        )


def hidden(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of modules that are imported here from elsewhere, each with the file in the folder that hides it.

    A folder without `__init__.py` hides nothing: Python takes it only where no module of that name is found.
    """
    folder = folder.resolve()
    if folder == ROOT:
        return
    imported = {name for name in sys.modules if "." not in name}
    for name in sorted({*OURS, *imported} - {"__main__"}):
        found = PathFinder.find_spec(name, [str(folder)])
        if found is None or found.origin is None or _imported_from(name).is_relative_to(folder):
            continue
        yield name, Path(found.origin).relative_to(folder).as_posix()


def _imported_from(name: str) -> Path:
    return Path(getattr(sys.modules.get(name), "__file__", None) or "/").resolve()
