"""study.yaml and plan.json: what is written is read back, and each kind of damage is reported as such."""

import json

import pytest

from trainables.results.canonical import canonical_json, content_hash, trial_id
from trainables.results.folder import Damaged, read_config, read_plan, write_config, write_plan
from trainables.results.store import open_store

SPEC = {"task": {"name": "nbody"}, "seed": 3}
ENTRY = {"id": trial_id(SPEC), "arm": "strict", "spec": SPEC}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def test_both_files_are_read_as_they_were_written(store):
    write_config(store, "name: a study\nseed: [1, 2]\n")
    write_plan(store, [ENTRY, {**ENTRY, "round": 2}])
    assert read_config(store) == {"name": "a study", "seed": [1, 2]}
    plan = read_plan(store)
    assert plan.entries == [ENTRY, {**ENTRY, "round": 2}]
    assert plan.ids == [ENTRY["id"]] * 2
    assert plan.is_intact


def test_an_empty_folder_has_neither(store):
    for read in (read_config, read_plan):
        with pytest.raises(FileNotFoundError):
            read(store)


@pytest.mark.parametrize(
    "content", [b"", b"[", b"\xff", b"3", b"[1, 2]", b"arms: {}", b"name: {}", b"name: 5"]
)
def test_a_config_that_names_no_study_is_damaged(store, content):
    store.write("study.yaml", content)
    with pytest.raises(Damaged):
        read_config(store)


@pytest.mark.parametrize("content", [b"", b"[", b"\xff", b"3", b"{}", b"[" * 100_000])
def test_a_plan_that_is_not_a_list_is_damaged(store, content):
    store.write("plan.json", content)
    with pytest.raises(Damaged):
        read_plan(store)


@pytest.mark.parametrize(
    "entry",
    [3, {}, {"id": 5}, {"id": "../elsewhere"}, {"id": ""}, {**ENTRY, "spec": 3}, {**ENTRY, "round": "2"}],
)
def test_entries_that_are_not_trials_are_counted_and_left_out(store, entry):
    store.write("plan.json", json.dumps([ENTRY, entry]).encode())
    plan = read_plan(store)
    assert (plan.entries, plan.num_skipped, plan.is_intact) == ([ENTRY], 1, False)


@pytest.mark.parametrize(
    "change", [{"id": "0" * 16}, {"spec": {**SPEC, "seed": 4}}, {"spec": {"lr": float("nan")}}]
)
def test_an_id_that_is_not_the_hash_of_its_spec_shows_a_changed_plan(store, change):
    write_plan(store, [{**ENTRY, **change}])
    assert not read_plan(store).is_intact


def test_equal_content_has_one_text_and_one_hash():
    assert canonical_json({"b": [1.5, None], "a": "é"}) == '{"a":"\\u00e9","b":[1.5,null]}'
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    # Fixed digits: every existing results folder depends on them.
    assert trial_id({"a": 1}) == "015abd7f5cc57a2d"
    with pytest.raises(ValueError, match="JSON compliant"):
        trial_id({"a": float("nan")})
