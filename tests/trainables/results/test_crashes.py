"""Each reason for crashes is printed once, for old and new records."""

from trainables.results.crashes import as_json, crashes
from trainables.results.record import Record, read_records, write_outcome
from trainables.results.store import open_store


def test_reasons_are_grouped_with_the_most_frequent_first(tmp_path):
    store = open_store(tmp_path)
    details = {
        "a": "Traceback (most recent call last):\n  File x\nKeyError: 'charge'\n",
        "b": "KeyError: 'charge'",
        "c": "the trial took longer than resources.timeout_minutes (30 s)",
        "d": "",
    }
    for name, detail in details.items():
        reason = {"c": "timeout"}.get(name, "error")
        write_outcome(store, Record(name, {}, "crashed", reason=reason, detail=detail), [])
    write_outcome(store, Record("e", {}, "learned"), [])
    found = crashes(read_records(store, list("abcdef"))[0].values())
    assert [(one.trials, one.reason, one.detail) for one in found] == [
        (2, "error", "KeyError: 'charge'"),
        (1, "timeout", details["c"]),
        (1, "error", "error"),
    ]
    assert (
        found[0].line("/results/")
        == "2 trials crashed (error): KeyError: 'charge'; see /results/trials/a/log.txt"
    )
    assert as_json(found)[1]["log"] == "trials/c/log.txt"
