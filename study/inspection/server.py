"""The live page on loopback: a read-only web server that knows one folder and one address.

A browser lets any website send requests to 127.0.0.1, and a website whose name is made to resolve to it (DNS
rebinding) could even read the answers. So every request must name this machine in its Host header, and no page from
another origin may read, frame or extend an answer.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES, EADDRINUSE
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from trainables.errors import BadInput

HOST = "127.0.0.1"
OUR_NAMES = {HOST, "localhost"}
PORTS_TRIED = 50
PAGE = "report.html"
STATE = "live.json"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".png": "image/png",
}
"""The types of the files of a report, by suffix; nothing else is served."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True)
class Shown:
    """The page that is currently shown.

    Attributes:
        waiting: The page to show while there is no report.
        folder: The folder of the report; None while there is no report.
        edition: The name of the report, different for each; empty while there is no report.
        line: One line of text about the report.
    """

    waiting: str
    folder: Path | None = None
    edition: str = ""
    line: str = ""


class PageServer(ThreadingHTTPServer):
    """Serves `shown`, which may be replaced at any time."""

    daemon_threads = True

    def __init__(self, port: int, shown: Shown) -> None:
        self.shown = shown
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_address[1]}/"


@contextmanager
def serving(port: int, shown: Shown) -> Iterator[PageServer]:
    """A server that answers in the background until the block ends.

    Args:
        port: Port to listen on; if it is taken, the next free one.
        shown: What to show at first.

    Raises:
        BadInput: If no port from there on is free or may be used.
    """
    server = _first_free(port, shown)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _first_free(port: int, shown: Shown) -> PageServer:
    for candidate in range(port, min(port + PORTS_TRIED, 65536)):
        try:
            return PageServer(candidate, shown)
        except OSError as error:
            if error.errno == EACCES:
                raise BadInput(f"--port: {candidate} is reserved; choose one above 1023") from error
            if error.errno != EADDRINUSE:
                raise
    raise BadInput(f"--port: {port} and the ports after it are taken; choose another")


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; the base class refuses every other method."""

    server: PageServer
    server_version, sys_version = "study", ""
    timeout = 30  # seconds that a connection may stay silent

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Log nothing: the terminal is for the study."""

    def _answer(self, with_body: bool) -> None:
        status, kind, content = self._content()
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def _content(self) -> tuple[HTTPStatus, str, bytes]:
        """Status, type and content of the answer."""
        text = "text/plain; charset=utf-8"
        if not _is_ours(self.headers.get_all("Host", [])):
            return HTTPStatus.FORBIDDEN, text, b"This page is only for browsers on this machine.\n"
        path, shown = self.path.partition("?")[0], self.server.shown
        if path == f"/{STATE}":
            state = {"edition": shown.edition, "line": shown.line}
            return HTTPStatus.OK, TYPES[".json"], json.dumps(state).encode()
        if path == "/" and shown.folder is None:
            return HTTPStatus.OK, TYPES[".html"], shown.waiting.encode()
        name = PAGE if path == "/" else unquote(path.removeprefix("/"))
        try:
            file = file_within(shown.folder, name) if shown.folder and path.startswith("/") else None
            if file is not None:
                return HTTPStatus.OK, TYPES[file.suffix], file.read_bytes()
        except OSError:  # deleted with a report that a newer one replaced, or a name that is too long
            pass
        return HTTPStatus.NOT_FOUND, text, b"No such file in the report.\n"


def _is_ours(hosts: list[str]) -> bool:
    """Whether a request names this machine, and names it once; the port may be one that is forwarded here."""
    return len(hosts) == 1 and hosts[0].partition(":")[0].lower() in OUR_NAMES


def file_within(folder: Path, name: str) -> Path | None:
    """The file of a report by its name, such as `tables/trials.csv`; None for anything else.

    Args:
        folder: The folder of the report.
        name: A decoded path; one with a part that leads upwards, is hidden or names a drive is no file.
    """
    parts = name.split("/")
    if any(not part or part.startswith(".") or set(part) & set("\\:\0") for part in parts):
        return None
    file = folder.joinpath(*parts).resolve()
    return file if file.suffix in TYPES and file.is_relative_to(folder.resolve()) and file.is_file() else None
