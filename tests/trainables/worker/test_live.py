"""Rows passed on to a watcher: not too often, and from the processes of a trial too."""

from trainables.worker import live
from trainables.worker.live import RowFile, Throttled


def test_rows_are_passed_on_once_per_interval(monkeypatch):
    now, seen = [0.0], []
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    throttled = Throttled(seen.append, 10.0)
    for now[0] in (1.0, 10.0, 15.0, 19.0, 20.5):
        throttled({"step": now[0]})
    assert [row["step"] for row in seen] == [10.0, 20.5]
    assert throttled.row == {"step": 20.5}


def test_the_newest_row_of_a_file_is_passed_on_once(tmp_path):
    file, seen = RowFile(tmp_path / "row"), []
    file.pass_on(seen.append)
    file({"step": 1})
    file({"step": 2})
    file.pass_on(seen.append)
    file.pass_on(seen.append)
    assert seen == [{"step": 2}]
    assert list(tmp_path.iterdir()) == []
