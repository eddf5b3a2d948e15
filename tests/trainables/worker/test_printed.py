"""The output of a trial is in its log, however long it is."""

import sys
import tempfile

import pytest

from trainables.results.record import log_path
from trainables.results.store import open_store
from trainables.worker import printed as module
from trainables.worker.printed import Log, copies_removed, copy_of, copy_of_member, printed


def test_both_streams_are_kept_and_still_shown(tmp_path, capsys):
    log = Log()
    with printed(log):
        print("to the one")
        print("to the other", file=sys.stderr)
    print("afterwards")
    assert log.text() == "to the one\nto the other\n"
    assert capsys.readouterr() == ("to the one\nafterwards\n", "to the other\n")
    store = open_store(tmp_path)
    log.write(store, "abc")
    assert store.read(log_path("abc")) == b"to the one\nto the other\n"


def test_a_silent_trial_has_no_log(tmp_path):
    Log().write(open_store(tmp_path), "abc")
    assert list(tmp_path.rglob("*")) == []


def test_beginning_and_end_of_endless_printing_are_kept(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 10)
    log = Log()
    for piece in ("first", "x" * 1000, "y" * 1000, "last"):
        log.add(piece)
    assert log.text() == "firstxxxxx\n[1,989 characters left out]\nyyyyyylast"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return copy_of("run", "abc")


def test_the_output_of_an_ended_process_comes_first(copy, tmp_path):
    Log(copy).add("first é\n")
    Log(copy_of_member(copy, 1)).add("from its child\n")
    log, store = Log(copy), open_store(tmp_path / "results")
    log.add("second\n")
    log.write(store, "abc")
    text = "first é\nsecond\nProcess 1 printed:\nfrom its child\n"
    assert store.read(log_path("abc")).decode() == text
    assert list(tmp_path.glob("trial-*")) == []


def test_the_copy_of_endless_printing_stays_small(copy, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 10)
    log = Log(copy)
    for number in range(1000):
        log.add(f"line {number:3}\n")
        assert copy.stat().st_size < 100
    assert copy.read_text().startswith("line   0\nl")
    assert copy.read_text().endswith("line 999\n")


def test_a_copy_that_cannot_be_written_does_no_harm(tmp_path):
    log = Log(tmp_path / "nowhere" / "copy.log")
    log.add("text")
    assert log.text() == "text"


def test_a_run_that_ends_leaves_no_copies(copy, tmp_path):
    other = copy_of("other", "abc")
    with copies_removed("run"):
        for file in (copy, copy_of_member(copy, 0), other):
            Log(file).add("text")
    assert list(tmp_path.glob("trial-*")) == [other]
