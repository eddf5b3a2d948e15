"""Real runs of a small study through the command line: finished, run again, extended, packed."""

import json
import sys
import time

import pandas as pd
import pytest
import torch
from small_runs import SMALL, contents, write_config
from tests_support import study as study_here

from analysis.load import load_trials
from trainables import registry
from trainables.results.record import history_path, read_records
from trainables.results.store import open_store
from trainables.spec import TrialSpec
from trainables.training.loop import run_trial

VARYING = ["seconds", "cpu_seconds", "started", "worker"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory, study):
    """A finished run of the small study: its process, config and results folder."""
    folder = tmp_path_factory.mktemp("finished")
    config = write_config(folder, SMALL)
    process = study("run", config, "--callback", "watching:Modules", cwd=folder)
    return process, config, folder / "results" / SMALL["name"]


@pytest.fixture
def here(finished, data_folder, monkeypatch):
    """The command line in this process, in the folder of the finished study."""
    monkeypatch.chdir(finished[1].parent)
    monkeypatch.setenv("STUDY_DATA", str(data_folder))
    monkeypatch.setattr(sys, "path", [*sys.path, str(finished[1].parent)])
    return study_here


def test_every_planned_trial_has_a_record_and_there_is_a_report(finished):
    process, _, results = finished
    assert process.returncode == 0, process.stderr
    assert "4 planned" in process.stdout
    planned = [entry["id"] for entry in json.loads((results / "plan.json").read_text())]
    records, complaints = read_records(open_store(results), planned)
    assert complaints == []
    assert set(records) == set(planned)
    assert (results / "report" / "report.html").is_file()
    assert not list(results.glob("trials/*/checkpoint.pt"))
    assert not list(results.glob("trials/*/attempts.json"))
    assert not (results / "run.lock").exists()


def test_the_driver_does_not_load_torch(finished):
    """A user's callback records which modules are loaded when a trial ends."""
    modules = (finished[1].parent / "modules").read_text().split()
    assert "ray.tune" in modules
    assert not {"torch", "e3nn", "mine"} & set(modules)


def test_the_high_learning_rate_failed_and_failed_trials_do_not_change_the_exit_code(finished):
    _, _, results = finished
    trials = load_trials(results).set_index(["arm", "lr"])
    assert set(trials["outcome"].xs(1e3, level="lr")) == {"failed"}


def test_a_trial_run_by_hand_gives_the_recorded_numbers(finished, data_folder, here):
    _, _, results = finished
    torch.set_num_threads(1)  # sums over threads round differently
    for entry in json.loads((results / "plan.json").read_text())[:2]:
        spec = TrialSpec(**entry["spec"])
        task = registry.build("task", spec.task, data_folder)
        record, rows = run_trial(spec, task, torch.device("cpu"))
        recorded, _ = read_records(open_store(results), [spec.id])
        assert record.val_metric == recorded[spec.id].val_metric
        assert record.test_metric == recorded[spec.id].test_metric
        assert record.equivariance_error == recorded[spec.id].equivariance_error
        history = pd.read_parquet(results / history_path(spec.id))
        assert history["train_loss"].tolist() == [row["train_loss"] for row in rows]


@pytest.mark.slow
def test_two_processes_for_each_trial_give_the_same_table(finished, study, tmp_path):
    _, config, results = finished
    shared = ["--set", "resources={cpus: 2, processes: 2}"]
    process = study("run", config, "--results", tmp_path, *shared, cwd=config.parent)
    assert process.returncode == 0, process.stderr
    alone, together = (load_trials(folder).set_index("trial").sort_index() for folder in (results, tmp_path))
    assert together["outcome"].tolist() == alone["outcome"].tolist()
    learned = alone["lr"] < 1
    for column in ("val_metric", "test_metric", "loss_at_init"):
        assert together[column][learned].tolist() == pytest.approx(alone[column][learned].tolist(), rel=1e-5)


def test_status_counts_the_trials(finished, here):
    shown = here("status", finished[2], "--json")
    assert shown.returncode == 0
    counts = json.loads(shown.stdout)
    assert counts["planned"] == 4
    assert counts["missing"] == counts["crashed"] == 0
    assert counts["learned"] + counts["failed"] == 4


def test_a_packed_folder_gives_the_same_report(finished, here, tmp_path):
    _, _, results = finished
    packed = tmp_path / "study.parquet"
    assert here("pack", results, packed).returncode == 0
    assert here("report", packed).returncode == 2
    assert here("report", packed, "--to", tmp_path).returncode == 0
    first, again = (
        json.loads((folder / "report/summary.json").read_text()) for folder in (results, tmp_path)
    )
    assert again["counts"] == first["counts"]
    assert again["finding"] == first["finding"]


def test_an_unpacked_folder_needs_no_further_run(finished, here, tmp_path):
    _, config, results = finished
    packed, again = tmp_path / "study.parquet", tmp_path / "again"
    assert here("pack", results, packed).returncode == 0
    assert here("unpack", packed, again).returncode == 0
    assert here("unpack", packed, again).returncode == 2
    before = contents(again)
    assert here("run", config, "--results", again).returncode == 0
    assert (
        contents(again)
        == before
        == {again / path.relative_to(results): content for path, content in contents(results).items()}
    )


def test_running_again_runs_nothing_and_changes_nothing(finished, here):
    _, config, results = finished
    before = contents(results)
    again = here("run", config, "--results", results)
    assert again.returncode == 0
    assert contents(results) == before


def test_a_larger_grid_runs_only_new_trials_and_recreates_a_lost_record(finished, study):
    _, config, results = finished
    before = contents(results)
    lost = next(results.glob("trials/*/record.json"))
    lost.write_bytes(lost.read_bytes()[:100])
    larger = study("run", config, "--results", results, "--set", "grid.seed=2", cwd=config.parent)
    assert larger.returncode == 0, larger.stderr
    assert "not JSON" in larger.stdout
    after = contents(results)
    untouched = {path for path in before if path.parent != lost.parent}
    assert {path: after[path] for path in untouched} == {path: before[path] for path in untouched}
    assert len([path for path in after if path.name != "test_errors.parquet"]) == 16
    old, new = json.loads(before[lost]), json.loads(after[lost])
    varying = [*VARYING, "checksum", "history_sha256"]
    assert {k: v for k, v in old.items() if k not in varying} == {
        k: v for k, v in new.items() if k not in varying
    }


def test_a_config_that_changes_trials_is_refused_before_anything_starts(finished, here):
    _, config, results = finished
    before = contents(results)
    started = time.monotonic()
    refused = here("run", config, "--results", results, "--set", "training.epochs=3")
    assert refused.returncode == 2
    assert "training.epochs: 2 -> 3" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert contents(results) == before
    assert time.monotonic() - started < 60
