"""When the live page is rendered again, what happens if that fails, and how the command ends."""

import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from study.inspection import watch as live
from study.inspection.changes import state_of_records
from study.inspection.rendering import NotRendered, render
from study.inspection.server import Shown
from trainables.results.pack import open_source
from trainables.results.store import LocalStore, RemoteStore

Process = subprocess.Popen  # the real one, whatever a test replaces it with


def with_study(folder):
    store = LocalStore(folder)
    store.write("study.yaml", b"name: small")
    store.write("plan.json", b'[{"id": "a"}, {"id": "b"}]')
    return store


@pytest.mark.parametrize("open_as", [str, lambda folder: folder.as_uri()])
def test_only_records_plan_and_config_count_as_changes(tmp_path, open_as):
    store = with_study(tmp_path)
    watched = open_source(open_as(tmp_path))
    assert isinstance(watched, LocalStore if open_as is str else RemoteStore)
    before = state_of_records(watched)
    store.write("trials/a/checkpoint.pt", b"1")
    store.write("report/report.html", b"1")
    assert state_of_records(watched) == before
    store.write("trials/a/record.json", b"1")
    with_one = state_of_records(watched)
    assert with_one != before
    store.write("trials/a/record.json", b"22")
    assert state_of_records(watched) != with_one


class Renderer:
    """Stands in for the process that renders: writes the number of the call, or fails."""

    def __init__(self, failing=()):
        self.calls, self.failing = 0, failing

    def __call__(self, folder, to, edition):
        self.calls += 1
        if self.calls in self.failing:
            (to / "half").write_text("written")
            raise NotRendered("ValueError: it is damaged")
        (to / "report").mkdir()
        (to / "report" / "report.html").write_text(f"page {self.calls}")


def follow(tmp_path, monkeypatch, renderer, steps):
    """Run the loop with one step at each rest; returns messages, what each rest showed, and the pages left."""
    said, shown, server = [], [], SimpleNamespace(shown=Shown("waiting"))
    left = iter(steps)

    def rest(work):
        folder = server.shown.folder
        shown.append(
            (folder and (folder / "report.html").read_text(), re.sub(r"\d\d", "0", server.shown.line))
        )
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(live, "render", renderer)
    monkeypatch.setattr(live, "_rest", rest)
    place = tmp_path / "pages"
    place.mkdir()
    with pytest.raises(KeyboardInterrupt):
        live._keep_up("folder", LocalStore(tmp_path / "study"), server, place, said.append)
    return said, shown, list(place.iterdir())


def test_a_page_is_made_when_records_have_changed_and_only_then(tmp_path, monkeypatch):
    store = with_study(tmp_path / "study")
    steps = [lambda: None, lambda: store.write("trials/a/record.json", b"1"), lambda: None]
    said, shown, pages = follow(tmp_path, monkeypatch, Renderer(), steps)
    assert [page for page, _ in shown] == ["page 1", "page 1", "page 2", "page 2"]
    assert {line for _, line in shown} == {"page from 0:0:0"}
    assert said == []
    assert len(pages) == 1, "the page before is removed"


def test_a_page_that_fails_leaves_the_previous_one(tmp_path, monkeypatch):
    store = with_study(tmp_path / "study")
    steps = [lambda number=number: store.write("trials/a/record.json", b"1" * number) for number in (1, 2)]
    said, shown, pages = follow(
        tmp_path, monkeypatch, Renderer(failing={2}), [*steps[:1], lambda: None, steps[1]]
    )
    failed = "page from 0:0:0; rendering a newer page failed (ValueError: it is damaged)"
    assert shown == [
        ("page 1", "page from 0:0:0"),
        ("page 1", failed),
        ("page 1", failed),
        ("page 3", "page from 0:0:0"),
    ]
    assert len(said) == 1
    assert "it is damaged" in said[0]
    assert len(pages) == 1


def test_the_first_page_may_fail_too(tmp_path, monkeypatch):
    with_study(tmp_path / "study")
    _, shown, pages = follow(tmp_path, monkeypatch, Renderer(failing={1}), [])
    assert shown == [(None, "rendering a newer page failed (ValueError: it is damaged)")]
    assert pages == []


def test_rest_is_nine_times_the_work(monkeypatch):
    rests = []
    monkeypatch.setattr(live.time, "sleep", rests.append)
    live._rest(0.01)
    live._rest(10.0)
    assert rests == [2.0, 90.0]


def test_a_folder_that_cannot_be_rendered_says_why_in_one_line(tmp_path):
    with pytest.raises(NotRendered, match=r"^FileNotFoundError: .*nowhere: no such results folder$"):
        render(str(tmp_path / "nowhere"), tmp_path, "1")


@pytest.fixture
def hanging(monkeypatch):
    """Makes each process that renders hang, and lists them; those left at the end are killed."""
    started = []

    def start(command, **options):
        code = "import time; print(flush=True); time.sleep(600)"
        started.append(Process([command[0], "-c", code], **options | {"stdout": subprocess.PIPE}))
        started[-1].stdout.readline()
        return started[-1]

    monkeypatch.setattr("study.inspection.rendering.subprocess.Popen", start)
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_the_process_that_renders_ends_with_the_command(tmp_path, monkeypatch, hanging):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Process, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render("folder", tmp_path, "1")
    (process,) = hanging
    assert process.returncode == -signal.SIGKILL


def test_a_page_that_takes_too_long_is_abandoned(tmp_path, monkeypatch, hanging):
    monkeypatch.setattr("study.inspection.rendering.LONGEST", 0.1)
    with pytest.raises(NotRendered, match=r"^it took longer than 0 minutes$"):
        render("folder", tmp_path, "1")
    (process,) = hanging
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_and_leaves_nothing(tmp_path, end):
    with_study(tmp_path / "study")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*")}
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "study", "watch", str(tmp_path / "study"), "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    first = process.stdout.readline()
    process.send_signal(end)
    rest, complaint = process.communicate(timeout=60)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/ shows .*study until Ctrl-C\n", first)
    assert (process.returncode, rest, complaint) == (0, "", "")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*")} == before
