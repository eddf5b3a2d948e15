"""The server of the live page: what it serves, and to whom."""

import http.client
import json
import socket
from dataclasses import replace

import pytest

from study.inspection.server import Shown, file_within, serving
from trainables.errors import BadInput


@pytest.fixture
def report(tmp_path):
    """A report folder, with a secret next to it and links out of it."""
    folder = tmp_path / "made" / "report"
    (folder / "tables").mkdir(parents=True)
    (folder / "report.html").write_text("<html>the page</html>")
    (folder / "tables" / "a b.csv").write_text("x\n1\n")
    (folder / ".hidden.csv").write_text("hidden")
    (folder / "program.py").write_text("print()")
    (tmp_path / "made" / "secret.csv").write_text("secret")
    (folder / "link.csv").symlink_to(tmp_path / "made" / "secret.csv")
    (folder / "up").symlink_to(tmp_path / "made")
    return folder


@pytest.fixture
def server(report):
    with serving(0, Shown("waiting", report, "7", "page from noon")) as opened:
        yield opened


def ask(server, path, method="GET", hosts=("127.0.0.1",)):
    """Status, headers and content of the answer; the path is sent unchanged."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for host in hosts:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def test_the_report_and_its_state_are_served(server, report):
    for path in ("/", "/report.html", "/?x=1"):
        status, headers, content = ask(server, path)
        assert (status, content) == (200, b"<html>the page</html>")
        assert headers["Content-Type"].startswith("text/html")
        assert "connect-src 'self'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers
    assert ask(server, "/tables/a%20b.csv")[2] == b"x\n1\n"
    assert json.loads(ask(server, "/live.json")[2]) == {"edition": "7", "line": "page from noon"}
    server.shown = replace(server.shown, folder=None)
    assert ask(server, "/")[2] == b"waiting"
    assert ask(server, "/report.html")[0] == 404


@pytest.mark.parametrize("hosts", [["localhost:9"], ["127.0.0.1:8765"], ["LOCALHOST"]])
def test_a_request_that_names_this_machine_is_answered(server, hosts):
    assert ask(server, "/", hosts=hosts)[0] == 200


@pytest.mark.parametrize(
    "hosts",
    [
        [], ["evil.example"], ["evil.example:8765"], ["127.0.0.1.evil.example"], ["localhost.evil.example"],
        ["127.0.0.1@evil.example"], ["127.0.0.1", "evil.example"], ["evil.example", "127.0.0.1"], [""], ["0.0.0.0"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/live.json", "/tables/a%20b.csv"])
def test_a_foreign_host_is_refused(server, hosts, path):
    status, _, content = ask(server, path, hosts=hosts)
    assert status == 403
    assert b"the page" not in content
    assert b"edition" not in content


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.csv", "/tables/../../secret.csv", "/%2e%2e/secret.csv", "/%2e%2e%2fsecret.csv",
        "/..%2fsecret.csv", "/..%5csecret.csv", "/..\\secret.csv", "/%252e%252e/secret.csv", "/link.csv",
        "/up/secret.csv", "/.hidden.csv", "/program.py", "/tables", "/tables/", "//etc/passwd", "/%2fetc%2fpasswd",
        "/etc/passwd", "//127.0.0.1/report.html", "report.html", "http://127.0.0.1/report.html", "*",
        "/report.html%00.csv", "/" + "a" * 5000 + ".csv", "/nothing.csv",
    ],
)  # fmt: skip
def test_nothing_outside_the_report_is_served(server, path):
    status, _, content = ask(server, path)
    assert status == 404
    assert content == b"No such file in the report.\n"


def test_only_a_relative_path_within_the_report_finds_a_file(report):
    assert file_within(report, "report.html") == report / "report.html"
    assert file_within(report, "up/secret.csv") is None
    assert file_within(report, str(report / "report.html")) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_refused_and_change_nothing(server, report, method):
    before = {path: path.stat().st_mtime_ns for path in report.rglob("*")}
    status, _, content = ask(server, "/report.html", method)
    assert status == 501
    assert b"the page" not in content
    assert {path: path.stat().st_mtime_ns for path in report.rglob("*")} == before


@pytest.mark.parametrize("path", ["/", "/live.json", "/tables/a%20b.csv", "/nothing.csv"])
def test_head_is_answered_like_get_but_without_content(server, path):
    status, headers, content = ask(server, path)
    assert len(content) == int(headers["Content-Length"]) > 0
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        # For HEAD, http.client reports empty content whatever is sent.
        connection.sendall(f"HEAD {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, rest = answer.decode().partition("\r\n\r\n")
    assert rest == ""
    line, *fields = head.split("\r\n")
    assert line.split()[1] == str(status)
    found, expected = dict(field.split(": ", 1) for field in fields), dict(headers)
    for answered in (found, expected):
        assert answered.pop("Date")
    assert found == expected


def test_the_next_free_port_is_used_if_one_is_taken():
    with serving(0, Shown("first")) as first, serving(first.server_port, Shown("second")) as second:
        assert first.server_port < second.server_port
        assert [ask(one, "/")[2] for one in (first, second)] == [b"first", b"second"]


def test_the_option_is_named_if_no_port_is_free(monkeypatch):
    monkeypatch.setattr("study.inspection.server.PORTS_TRIED", 1)
    with serving(0, Shown("first")) as first:
        words = f"--port: {first.server_port} and the ports after it are taken"
        with pytest.raises(BadInput, match=words), serving(first.server_port, Shown("second")):
            pass


def test_it_listens_on_loopback_only(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5),
    ):
        pass
