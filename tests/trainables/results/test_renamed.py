"""Renamed options: files written under the first name are still read, and trials keep their ids."""

import pytest

from analysis import REFERENCE
from study.config import resolve_config
from study.folder import check_folder
from study.plan import planned_study
from trainables.errors import BadInput
from trainables.results.canonical import trial_id
from trainables.results.folder import read_config, read_plan
from trainables.results.pack import open_source
from trainables.results.record import read_records
from trainables.results.renamed import with_first_names, with_present_names
from trainables.results.yaml_text import read_yaml

NOW = {"model": {"name": "egnn", "num_neighbors": 4}, "task": {"name": "nbody", "num_neighbors": 2}}
FIRST = {"model": {"name": "egnn", "neighbours": 4}, "task": {"name": "nbody", "neighbors": 2}}
USERS = {"model": {"name": "mine:Net", "neighbours": 4}, "task": {"name": "mine:data", "neighbors": 2}}
ARMS = {"name": "small", "arms": {"strict": {"method": "strict"}}}


def test_ids_are_computed_from_first_names():
    assert with_first_names(NOW) == FIRST
    assert with_present_names(FIRST) == NOW
    assert trial_id(NOW) == trial_id(FIRST)


def test_options_of_a_users_own_network_keep_their_names():
    assert with_first_names(USERS) == with_present_names(USERS) == USERS
    own = {"model": {"name": "mine:Net", "num_neighbors": 4}}
    assert trial_id(own) != trial_id({"model": {"name": "mine:Net", "neighbours": 4}})


def test_a_config_may_have_either_name():
    first = {**ARMS, **FIRST, "grid": {"model.neighbours": [3, 4]}}
    now = {**ARMS, **NOW, "grid": {"model.num_neighbors": [3, 4]}}
    assert resolve_config(first) == resolve_config(now)


def test_an_option_under_both_names_is_an_error():
    with pytest.raises(BadInput, match=r"model\.neighbours: unknown"):
        resolve_config({**ARMS, "task": "nbody", "model": {**NOW["model"], **FIRST["model"]}})


def test_an_axis_under_both_names_is_an_error():
    both = {"model.neighbours": [3, 4], "model.num_neighbors": [16]}
    for grid in (both, dict(reversed(both.items()))):
        with pytest.raises(BadInput, match=r"grid\.model\.neighbours: unknown"):
            resolve_config({**ARMS, **NOW, "grid": grid})


def test_a_folder_from_before_the_renaming_can_be_extended():
    store = open_source(REFERENCE / "published-segnn.parquet")
    assert b"neighbours" in store.read("plan.json"), "it was written under the first name"
    config, trials = planned_study(read_yaml(store.read("study.yaml").decode()))
    planned = read_plan(store)
    assert planned.is_intact
    assert [trial.id for trial in trials] == planned.ids
    assert check_folder(store, config, trials) == []
    assert read_config(store)["model"] == config.model == planned.entries[0]["spec"]["model"]
    records, complaints = read_records(store, planned.ids[:1])
    assert complaints == []
    assert records[planned.ids[0]].spec["model"] == config.model
