"""The report of a run in progress, live in a browser on this machine."""

import os
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

from study.inspection.changes import State, state_of_records
from study.inspection.rendering import NotRendered, render
from study.inspection.server import PageServer, Shown, serving
from trainables.results.store import Store

LOOK_EVERY = 2.0  # seconds
REST = 9.0
"""Seconds of rest after each processor second of work, so that all of it takes a tenth of one core at most."""


def watch(
    folder: str,
    store: Store,
    port: int,
    waiting: str,
    say: Callable[[str], None],
    show: Callable[[str], object],
) -> None:
    """Serve the report of a results folder and write it again whenever records have changed, until interrupted.

    Args:
        folder: The results folder, only read; pages are written to a temporary folder.
        store: Its store.
        port: Port to listen on; the next free one if it is taken, any free one for 0.
        waiting: The page to show before there is a report.
        say: Prints a line to the terminal.
        show: Called with the address of the page once it is served.

    Raises:
        BadInput: If there is no port to listen on.
        KeyboardInterrupt: When interrupted, which is the only way this ends.
    """
    with (
        tempfile.TemporaryDirectory(prefix="study-watch-") as place,
        serving(port, Shown(waiting, line="building the first page")) as server,
    ):
        taken = "" if port in (0, server.server_port) else f"port {port} is taken; "
        say(f"{taken}{server.url} shows {folder} until Ctrl-C")
        show(server.url)
        _keep_up(folder, store, server, Path(place), say)


def _keep_up(folder: str, store: Store, server: PageServer, place: Path, say: Callable[[str], None]) -> None:
    """Check the records, render them if they have changed, and rest, forever."""
    rendered: State | None = None
    made = ""
    while True:
        before = sum(os.times()[:4])  # processor seconds of this process and of those that rendered
        try:
            found = state_of_records(store)
            if found != rendered:
                rendered = found  # after a failure, try again only once records have changed
                _renew(folder, server, place)
                made = server.shown.line
        except (NotRendered, OSError) as error:
            reason = " ".join(str(error).split())
            line = "; ".join(filter(None, [made, f"rendering a newer page failed ({reason})"]))
            if line != server.shown.line:
                say(line)
                server.shown = replace(server.shown, line=line)
        _rest(sum(os.times()[:4]) - before)


def _rest(work: float) -> None:
    """Wait; `work` is the processor seconds since the last rest."""
    time.sleep(max(LOOK_EVERY, REST * work))


def _renew(folder: str, server: PageServer, place: Path) -> None:
    """Make a new report and show it in place of the previous one, which remains if NotRendered is raised."""
    edition, before = str(time.time_ns()), server.shown
    made_in = place / edition
    made_in.mkdir()
    try:
        render(folder, made_in, edition)
    except NotRendered:
        rmtree(made_in)
        raise
    server.shown = replace(
        before, folder=made_in / "report", edition=edition, line=f"page from {time.strftime('%H:%M:%S')}"
    )
    if before.folder is not None:
        rmtree(before.folder.parent)


def open_in_browser(url: str) -> None:
    """Open a page if there is a screen; without one, a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        webbrowser.open(url)
