"""Opening the results folders that the commands name; one that is missing or unusable is bad input."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.results.store import Store


def results_folder(folder: str, argument: str = "DIR") -> "Store":
    """The store of a results folder or packed file.

    Raises:
        BadInput: If it is neither.
    """
    from trainables.errors import BadInput
    from trainables.results.folder import CONFIG, PLAN
    from trainables.results.pack import open_source

    with bad_folder_is_bad_input(argument):
        store = open_source(folder)
        for name in (PLAN, CONFIG):
            with suppress(FileNotFoundError, NotADirectoryError):
                store.read(name)
                return store
        if store.names("trials"):
            return store
    raise BadInput(
        f"{argument}: {folder} is not a results folder: it contains no plan.json, study.yaml or trials"
    )


@contextmanager
def writable_store(results: str, argument: str = "--results") -> "Iterator[Store]":
    """The results folder, created if needed. If the block fails, newly created empty folders are removed."""
    from trainables.errors import BadInput
    from trainables.results.store import open_store

    root = Path(results).expanduser().resolve()
    made = [] if "://" in results else [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        try:
            store = open_store(results)
            store.write("run.probe", b"")
            store.delete("run.probe")
        except (OSError, ValueError) as error:
            reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
            raise BadInput(f"{argument}: {results} cannot be written ({reason})") from error
        yield store
    except BaseException:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def bad_folder_is_bad_input(argument: str = "DIR") -> Iterator[None]:
    """Turn the errors of reading a folder into BadInput; the analysis itself knows nothing of a command line."""
    from trainables.errors import BadInput

    try:
        yield
    except BadInput:
        raise
    except (OSError, ValueError) as error:
        raise BadInput(f"{argument}: {' '.join(str(error).split())}") from error


def folder_for_output(folder: str) -> str:
    """The folder, unless it is a file.

    Raises:
        BadInput: If it is.
    """
    from trainables.errors import BadInput

    if Path(folder).is_file():
        raise BadInput(f"--to: {folder} is a file; name a folder to write to")
    return folder


def absolute(folder: str) -> str:
    """The absolute path of a folder, except one below `~`, which may differ between nodes."""
    return folder if folder.startswith("~") else os.path.abspath(folder)
