import os
import sys

import pytest

from trainables.worker.sources import changed, sources


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_network_of_sources", raising=False)
    path = tmp_path / "users_network_of_sources.py"
    path.write_text("SCALE = 1\n")
    return path


def of(make_spec, folder, task=None, **options):
    spec = make_spec(**options)
    # Only the names are read, so neither the network nor the data need exist.
    spec = spec.model_copy(update={"model": {"name": "users_network_of_sources:Net"}})
    return sources(spec.model_copy(update={"task": task}) if task else spec, folder, "code")


def test_an_edited_module_has_another_hash_once_it_is_imported_again(make_spec, tmp_path, module):
    before = of(make_spec, tmp_path)
    assert set(before) == {"module users_network_of_sources", "trainables"}
    module.write_text("SCALE = 7\n# longer\n")
    assert of(make_spec, tmp_path) == before
    del sys.modules["users_network_of_sources"]
    assert changed(of(make_spec, tmp_path), before) == ["module users_network_of_sources"]


def test_schedules_and_optimizers_count_but_names_without_a_file_do_not(make_spec, tmp_path, module):
    found = of(make_spec, tmp_path, optimizer="torch.optim:Adagrad")
    assert "module torch.optim" in found
    spec = make_spec({"name": "relaxed"})
    spec = spec.model_copy(update={"method": {**spec.method, "schedule": "users_network_of_sources:fall"}})
    assert "module users_network_of_sources" in sources(spec, tmp_path, "code")
    assert set(sources(make_spec(), tmp_path, "code")) == {"trainables"}


def test_data_files_are_hashed_and_read_once_while_unchanged(make_spec, tmp_path, module):
    data = tmp_path / "mine.xyz"
    data.write_text("one")
    task = {"name": "forces", "molecule": "mine.xyz"}
    before = of(make_spec, tmp_path, task)
    assert "data mine.xyz" in before
    there = data.stat()
    data.write_text("two")
    os.utime(data, ns=(there.st_atime_ns, there.st_mtime_ns))  # as if nothing had happened
    assert not changed(of(make_spec, tmp_path, task), before)
    os.utime(data, ns=(there.st_atime_ns, there.st_mtime_ns + 10**9))
    assert changed(of(make_spec, tmp_path, task), before) == ["data mine.xyz"]


def test_data_that_is_not_on_this_machine_is_left_out(make_spec, tmp_path, module):
    task = {"name": "forces", "molecule": "absent.xyz"}
    assert set(of(make_spec, tmp_path, task)) == {"module users_network_of_sources", "trainables"}
    task = {"name": "pointclouds", "source": "modelnet40_hdf5", "path": None}
    assert set(of(make_spec, tmp_path, task)) == {"module users_network_of_sources", "trainables"}


def test_a_module_that_cannot_be_imported_is_left_out(make_spec, tmp_path, module):
    module.write_text("raise SystemExit('not now')\n")
    assert set(of(make_spec, tmp_path)) == {"trainables"}


def test_the_recordings_of_a_subject_are_hashed(make_spec, tmp_path):
    task, walk = {"name": "mocap", "subject": "walk"}, tmp_path / "walk"
    spec = make_spec().model_copy(update={"task": task})
    assert set(sources(spec, tmp_path, "code")) == {"trainables"}
    walk.mkdir()
    for name in ("01.asf", "01_01.amc", "notes.txt"):
        (walk / name).write_text("one")
    before = sources(spec, tmp_path, "code")
    assert set(before) == {"data walk/01.asf", "data walk/01_01.amc", "trainables"}
    (walk / "01_01.amc").write_text("longer")
    now = sources(spec, tmp_path, "code")
    assert changed(now, before) == ["data walk/01_01.amc"]
    assert not changed(now, {"trainables": "code"})  # as in records of older versions


def test_the_public_recording_is_hashed(make_spec, tmp_path):
    (tmp_path / "mocap").mkdir()
    for name in ("motion_run.pkl", "split_run.pkl"):
        (tmp_path / "mocap" / name).write_text("one")
    spec = make_spec().model_copy(update={"task": {"name": "mocap", "subject": None}})
    expected = {"data mocap/motion_run.pkl", "data mocap/split_run.pkl", "trainables"}
    assert set(sources(spec, tmp_path, "code")) == expected


def test_changes_of_this_project_are_identified_by_revisions():
    assert not changed({"trainables": "b", "data x": "1"}, {"trainables": "a", "data y": "2"})
