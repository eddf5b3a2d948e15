"""What a trial prints is in its log, however much it is."""

import sys

from trainables.results.record import log_path
from trainables.results.store import open_store
from trainables.worker import printed as module
from trainables.worker.printed import Log, printed


def test_both_streams_are_kept_and_still_go_where_they_went(tmp_path, capsys):
    with printed() as log:
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
