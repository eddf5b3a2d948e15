"""An interrupted download leaves nothing behind and gives one line; the next one starts over."""

import hashlib
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from trainables.errors import BadInput
from trainables.tasks import datasets
from trainables.tasks.datasets import Dataset, Source, fetch

CONTENT = bytes(range(256)) * 2000
NAME = "toys/toy.bin"


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT in the way named by the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        getattr(self, self.path.strip("/"))()

    def begin(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def whole(self):
        self.begin(Content_Length=len(CONTENT))
        self.wfile.write(CONTENT)

    def cut(self):
        self.begin(Content_Length=len(CONTENT))
        self.wfile.write(CONTENT[: len(CONTENT) // 2])
        self.close_connection = True

    def cut_in_a_chunk(self):
        self.begin(Transfer_Encoding="chunked")
        self.wfile.write(b"100000\r\n" + CONTENT[: len(CONTENT) // 2])
        self.close_connection = True

    def cut_without_a_length(self):
        self.begin(Connection="close")
        self.wfile.write(CONTENT[: len(CONTENT) // 2])
        self.close_connection = True

    def other(self):
        self.begin(Content_Length=len(CONTENT))
        self.wfile.write(CONTENT[::-1])

    def missing(self):
        self.begin(404, Content_Length=0)

    def stuck(self):
        self.begin(Content_Length=len(CONTENT))
        self.wfile.write(CONTENT[: len(CONTENT) // 2])
        self.wfile.flush()
        self.server.halfway.set()
        self.server.end.wait(60)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """A server on loopback only."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.halfway, made.end = threading.Event(), threading.Event()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.end.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def toy(monkeypatch):
    source = Source(NAME, "https://example.org/toy.bin", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(datasets.DATASETS, "toy", Dataset((source,), "MIT", "nobody"))


def from_server(server, way, timeout=60):
    """pooch's own HTTP download, from the test server instead of the given address."""

    def download(url, path, manager):
        address = f"http://127.0.0.1:{server.server_port}/{way}"
        pooch.HTTPDownloader(timeout=timeout)(address, path, manager)

    return download


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def assert_refused(server, way, folder, message, timeout=60):
    with pytest.raises(BadInput, match=message) as caught:
        fetch("toy", folder, download=from_server(server, way, timeout))
    assert "\n" not in str(caught.value)
    assert files_in(folder) == []


def assert_comes_whole(server, folder):
    assert fetch("toy", folder, download=from_server(server, "whole")) == [folder / NAME]
    assert files_in(folder) == [folder / NAME]
    assert (folder / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("cut", "Connection broken.*try again, or place the file at"),
        ("cut_in_a_chunk", "Connection broken.*try again, or place the file at"),
        ("cut_without_a_length", "does not match the known hash"),
        ("other", "does not match the known hash"),
        ("missing", "404"),
    ],
)
def test_a_truncated_different_or_missing_file_is_refused(server, toy, tmp_path, way, message):
    assert_refused(server, way, tmp_path, message)
    assert_comes_whole(server, tmp_path)


def test_a_server_that_stops_sending(server, toy, tmp_path):
    assert_refused(server, "stuck", tmp_path, "timed out", timeout=0.3)
    assert_comes_whole(server, tmp_path)


@contextmanager
def files_of_at_most(size):
    """Make writing more than `size` bytes to a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk(server, toy, tmp_path):
    with files_of_at_most(len(CONTENT) // 2):
        assert_refused(server, "whole", tmp_path, "cannot write .*toy.bin.*set another --data-dir")
    assert_comes_whole(server, tmp_path)


def test_a_process_that_is_killed_halfway(server, toy, tmp_path):
    program = f"""
        import pooch
        from trainables.tasks import datasets
        source = datasets.Source({NAME!r}, "https://example.org/toy.bin", "{hashlib.sha256(CONTENT).hexdigest()}")
        datasets.DATASETS["toy"] = datasets.Dataset((source,), "MIT", "nobody")
        download = lambda url, path, manager: pooch.HTTPDownloader()(
            "http://127.0.0.1:{server.server_port}/stuck", path, manager)
        datasets.fetch("toy", {str(tmp_path)!r}, download=download)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    assert server.halfway.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / NAME).exists()
    fetch("toy", tmp_path, download=from_server(server, "whole"))
    assert (tmp_path / NAME).read_bytes() == CONTENT
