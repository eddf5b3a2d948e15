"""A results folder never shows a half-written file."""

import os

import pytest

from trainables.results.store import open_store, read_all


def test_written_files_are_read_back(tmp_path):
    store = open_store(tmp_path)
    store.write("trials/a/record.json", b"one")
    store.write("trials/a/record.json", b"two")
    assert store.read("trials/a/record.json") == b"two"
    assert store.names("trials") == ["a"]
    assert store.names("trials/a") == ["record.json"]
    store.delete("trials/a/record.json")
    store.delete("trials/a/record.json")
    with pytest.raises(FileNotFoundError):
        store.read("trials/a/record.json")


def test_an_interrupted_write_leaves_the_old_file_and_no_trace(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    store.write("file", b"old")

    def no_space(*unused):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        store.write("file", b"new")
    assert store.read("file") == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_unfinished_files_are_not_listed(tmp_path):
    (tmp_path / ".record.json.123").write_bytes(b"half")
    assert open_store(tmp_path).names("") == []
    assert open_store(tmp_path).names("nowhere") == []


def test_read_all_leaves_out_missing_files(tmp_path):
    store = open_store(tmp_path)
    store.write("a/x", b"1")
    assert read_all(store, ["a/x", "b/x"]) == {"a/x": b"1"}
