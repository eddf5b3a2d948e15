"""`study report`, `watch`, `notebooks`, `pack` and `unpack`: what can be made from a results folder."""

import signal
from contextlib import suppress
from typing import Annotated, Any

import typer

from study.commands.folders import (
    absolute,
    bad_folder_is_bad_input,
    folder_for_output,
    results_folder,
    writable_store,
)
from study.commands.options import Folder


def report(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Results folders or packed files.")],
    to: Annotated[str | None, typer.Option(help="Folder for the report [default: DIR, if only one].")] = None,
) -> None:
    """Write tables, figures, report.html and summary.json from the folders alone."""
    from trainables.errors import BadInput

    if to is None and len(folders) > 1:
        raise BadInput(
            "--to: name a folder for the report of several folders; the report in each DIR is kept"
        )
    into = folder_for_output(to or folders[0])
    for folder in folders:
        results_folder(folder)
    with bad_folder_is_bad_input():
        page, _ = written_report(folders, into)
        print(page)


def watch(
    folder: Folder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; the next free one if it is taken.")
    ] = 8765,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Serve the report of a running study on this machine, updated live, until Ctrl-C; DIR is only read."""
    store = results_folder(folder)
    from analysis.page import waiting_page
    from study.inspection import watch as live

    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # so that SIGTERM removes the temporary folder too
    with suppress(KeyboardInterrupt):
        live.watch(
            absolute(folder),
            store,
            port,
            waiting_page(folder),
            lambda line: print(line, flush=True),
            live.open_in_browser if browser else lambda url: None,
        )


def pack(folder: Folder, file: Annotated[str, typer.Argument(metavar="FILE")]) -> None:
    """Pack a results folder into one Parquet file, which every analysis command accepts as well."""
    from trainables.results.pack import pack as pack_folder

    results_folder(folder)
    with bad_folder_is_bad_input("FILE"):
        print(f"{file}: {pack_folder(folder, file)} files")


def unpack(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A packed results folder.")], folder: Folder
) -> None:
    """Write a packed file back to a results folder, which `study run` extends."""
    from trainables.results.pack import unpack as unpack_folder

    results_folder(file, "FILE")
    with writable_store(folder, "DIR") as store, bad_folder_is_bad_input():
        print(f"{folder}: {unpack_folder(file, store)} files")


def notebooks(
    folder: Folder,
    to: Annotated[str | None, typer.Option(help="Folder for the notebooks [default: DIR].")] = None,
) -> None:
    """Execute the analysis notebooks on a folder and save them, with their HTML, next to its report."""
    from analysis.notebooks import execute_notebooks

    results_folder(folder)
    with bad_folder_is_bad_input():
        into = folder_for_output(to or folder)
        for path in execute_notebooks(folder, into):
            print(f"{into.rstrip('/')}/{path}")


def written_report(folders: list[str], into: str) -> tuple[str, dict[str, Any]]:
    """Write the report; returns the path of its page, and its summary."""
    from analysis.report import write_report

    summary = write_report(folders, into)
    return f"{into.rstrip('/')}/report/report.html", summary
