"""Records and histories: whole, checked, and readable without torch."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from trainables.results.outcomes import Outcome, Reason
from trainables.results.record import (
    BadRecord,
    Record,
    damaged_files,
    decode_record,
    encode_record,
    finite,
    history_path,
    read_records,
    record_path,
    write_outcome,
)
from trainables.results.record import (
    test_errors_path as errors_path,
)
from trainables.results.store import open_store

RECORD = Record("0123", {"seed": 1}, "failed", "diverged", "loss 3", loss_at_init=0.5, epochs=2)
ROWS = [{"epoch": 0, "train_loss": 1.0}, {"epoch": 1, "train_loss": math.nan, "gamma": 2.0}]


def test_a_record_is_read_back_unchanged(tmp_path):
    store = open_store(tmp_path)
    write_outcome(store, RECORD, ROWS)
    records, complaints = read_records(store, ["0123", "absent"])
    assert complaints == []
    assert list(records) == ["0123"]
    assert records["0123"].loss_at_init == 0.5
    assert records["0123"].history_sha256
    table = pq.read_table(tmp_path / history_path("0123")).to_pydict()
    assert table["epoch"] == [0, 1]
    assert math.isnan(table["train_loss"][1])
    assert table["gamma"] == [None, 2.0]


def test_the_errors_on_each_test_sample_are_kept_and_belong_to_their_record(tmp_path):
    store, path = open_store(tmp_path), errors_path("0123")
    write_outcome(store, RECORD, ROWS, {"mse": [0.25, math.inf, 4.0]})
    records, _ = read_records(store, ["0123"])
    assert pq.read_table(tmp_path / path)["mse"].to_pylist() == [0.25, math.inf, 4.0]
    assert str(pq.read_schema(tmp_path / path).field("mse").type) == "float"
    assert damaged_files(store, records.values()) == {}
    store.write(path, store.read(path)[:-1])
    assert damaged_files(store, records.values()) == {
        "0123": f"{path}: its checksum does not match its record"
    }
    store.delete(path)
    assert damaged_files(store, records.values()) == {}


def test_errors_that_a_record_does_not_name_are_ignored(tmp_path):
    store = open_store(tmp_path)
    write_outcome(store, RECORD, ROWS)
    store.write(errors_path("0123"), b"of an attempt that crashed later")
    records, _ = read_records(store, ["0123"])
    assert records["0123"].test_errors_sha256 is None
    assert damaged_files(store, records.values()) == {}


@pytest.mark.parametrize("position", range(0, 700, 37))
def test_a_changed_byte_is_noticed(position):
    content = bytearray(encode_record(RECORD))
    position %= len(content)
    content[position] ^= 1
    try:
        decoded = decode_record(bytes(content), "0123")
    except BadRecord:
        return
    assert decoded == RECORD  # white space between the values may change


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"id": "0123"}', b"[" * 100_000])
def test_content_that_is_not_a_record_is_refused(content):
    with pytest.raises(BadRecord, match=record_path("0123")):
        decode_record(content, "0123")


def test_a_truncated_or_foreign_record_counts_as_missing(tmp_path):
    store = open_store(tmp_path)
    content = encode_record(RECORD)
    store.write(record_path("0123"), content[:-20])
    store.write(record_path("other"), content)
    records, complaints = read_records(store, ["0123", "other"])
    assert records == {}
    assert "trials/0123/record.json: not JSON" in complaints[0]
    assert "another trial" in complaints[1]


def test_keys_of_a_newer_version_are_ignored():
    import hashlib

    content = json.loads(encode_record(RECORD))
    del content["checksum"]
    content["invented_later"] = 1
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    assert decode_record(json.dumps(content).encode(), "0123") == RECORD


def test_numbers_that_are_not_finite_become_none():
    assert finite(math.inf) is None
    assert finite(math.nan) is None
    assert finite(None) is None
    assert finite(2) == 2.0


def test_records_load_neither_torch_nor_ray():
    code = "import sys, trainables.results.record; sys.exit(any(m in sys.modules for m in ('torch', 'ray')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_outcomes_and_reasons_are_stored_under_the_names_in_every_folder():
    assert [outcome.value for outcome in Outcome] == ["learned", "failed", "crashed"]
    assert {*Reason} == {
        *("non_finite", "diverged", "not_learned", "collapsed"),
        *("out_of_memory", "timeout", "node_lost", "error"),
    }
    content = encode_record(replace(RECORD, outcome=Outcome.CRASHED, reason=Reason.TIMEOUT))
    assert json.loads(content)["outcome"] == "crashed"
    assert json.loads(content)["reason"] == "timeout"
    assert decode_record(content, RECORD.id).reason is Reason.TIMEOUT


def test_an_unknown_reason_makes_a_record_unreadable():
    with pytest.raises(BadRecord, match="reason"):
        decode_record(encode_record(replace(RECORD, reason="whim")), RECORD.id)
