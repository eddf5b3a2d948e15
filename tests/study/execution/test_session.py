"""Where Ray has its sockets: a writable folder with a short path and space, or an error with the remedy."""

import shutil
from pathlib import Path

import pytest

from study.execution import session
from study.execution.session import connected, object_store, scratch_folder
from trainables.errors import BadInput


@pytest.fixture(autouse=True)
def no_given_folder(monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)


def test_the_default_folder_is_used_if_it_is_suitable(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    assert Path(scratch_folder()).parent == Path("/tmp")


def test_a_folder_with_a_long_path_is_skipped(monkeypatch, tmp_path):
    long = tmp_path / "some-user-name" / "slurm_jobdir" / "1355700"
    long.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(long))
    folder = scratch_folder()
    assert len(folder) <= 40
    assert not folder.startswith(str(tmp_path))


def test_a_full_folder_is_skipped(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    usage = shutil.disk_usage
    monkeypatch.setattr(
        shutil,
        "disk_usage",
        lambda folder: usage(folder)._replace(free=0) if folder == "/tmp" else usage(folder),
    )
    assert not scratch_folder().startswith("/tmp")


@pytest.mark.parametrize(
    ("given", "words"),
    [("/tmp/" + "x" * 90, "too long"), ("/proc", "cannot be written"), ("/nowhere", "cannot be written")],
)
def test_a_folder_that_was_named_is_used_or_refused(monkeypatch, given, words):
    monkeypatch.setenv("RAY_TMPDIR", given)
    with pytest.raises(BadInput, match=rf"RAY_TMPDIR: no folder for Ray .*{words}"):
        scratch_folder()


def test_if_none_is_suitable_each_is_named_with_its_reason(monkeypatch):
    monkeypatch.setattr(session, "FREE_BYTES", 1e30)
    with pytest.raises(
        BadInput, match=r"RAY_TMPDIR: .*/tmp is full.*; set it to one with a path of up to 24 characters"
    ):
        scratch_folder()


def test_a_store_gets_a_folder_if_there_is_no_shared_memory(monkeypatch, tmp_path):
    beside = {"_plasma_directory": "/tmp", "object_store_memory": 100_000_000}
    read_only = "/proc"  # where not even root can create a file
    for place, options in ((tmp_path, {}), (tmp_path / "nowhere", beside), (read_only, beside)):
        monkeypatch.setattr(session, "SHARED_MEMORY", str(place))
        assert object_store("/tmp/study-0") == options
    monkeypatch.setattr("sys.platform", "darwin")
    assert object_store("/tmp/study-0") == {}


def test_a_home_that_cannot_be_written_names_the_variable(monkeypatch):
    def refuse(**options):
        raise FileNotFoundError(2, "No such file or directory", "/nowhere/.ray")

    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setattr("study.execution.session.ray.init", refuse)
    with (
        pytest.raises(BadInput, match=r"HOME: Ray cannot write a file that it keeps in /nowhere"),
        connected(None),
    ):
        pass
