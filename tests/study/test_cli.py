"""A table of commands with their exit codes and messages on stderr, and tests of single commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import study
from typer.testing import CliRunner

from analysis import REFERENCE
from study.cli import app
from study.config import load_config
from study.folder import write_folder
from study.plan import plan
from trainables.results.folder import write_plan
from trainables.results.store import open_store

STUDY = str(Path(sys.executable).with_name("study"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nbody-quik"], 2, "did you mean 'nbody-quick'"),
        (["run", "nbody-quick", "--set", "model.hiden=3"], 2, "did you mean 'hidden'"),
        (["run", "nbody-quick", "--set", "model.name=eggn"], 2, "did you mean 'egnn'"),
        (["plan", "nbody-quick", "--set", "arms.triangle.schedule=tringle"], 2, "did you mean 'triangle'"),
        (["run", "nbody-quick", "--set", "training.epochs=0"], 2, "training.epochs"),
        (["run", "nbody-quick", "--results", "/proc/nowhere"], 2, "--results"),
        (["run", "nbody-quick", "--set", "resources.gpus=64"], 2, "resources.gpus"),
        (["run", "nbody-quick", "--address", "127.0.0.1:1"], 2, "--address"),
        (["run", "nbody-quick", "--mlflow", "there"], 2, "--mlflow"),
        (["plan", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["plan", "nbody-quick", "--set", "grid.seed"], 2, "key.path=value"),
        (["submit", "nbody-quik", "--address", "http://127.0.0.1:1", "--results", "r"], 2, "nbody-quick"),
        (["submit", "nbody-quick", "--address", "127.0.0.1:1", "--results", "r"], 2, "http://HEAD:8265"),
        (
            ["submit", "nbody-quick", "--address", "http://127.0.0.1:1", "--results", "/proc/r"],
            2,
            "--results",
        ),
        (["submit", "nbody-quick", "--address", "http://127.0.0.1:1", "--results", "r"], 2, "no answer"),
        (["logs", "nowhere"], 2, "has no submitted job"),
        (["logs", "s3://a b"], 2, "JOB"),
        (["logs", "raysubmit_1", "--address", "http://127.0.0.1:1"], 2, "no answer"),
        (["stop", "nowhere"], 2, "has no submitted job"),
        (["stop", "raysubmit_1", "--address", "http://127.0.0.1:1"], 2, "no answer"),
        (["fetch", "nowhere", "copy"], 2, "contains no files"),
        (["fetch", "s3://", "copy"], 2, "URI"),
        (["fetch", "other", "s3://bucket/copy"], 2, "DIR: must be a local folder"),
        (["fetch", "other", "/proc/there"], 2, "DIR: /proc/there cannot be written"),
        (["status", "nowhere"], 2, "nowhere: no such results folder"),
        (["status", "other"], 2, "DIR: other is not a results folder"),
        (["status", "other/notes.txt"], 2, "not a packed results folder"),
        (["report", "other"], 2, "DIR: other is not a results folder"),
        (["report", "other/notes.txt", "--to", "there"], 2, "not a packed results folder"),
        (["report", "a", "b"], 2, "--to: name a folder for the report of several"),
        (["watch", "other"], 2, "DIR: other is not a results folder"),
        (["watch", "nowhere"], 2, "nowhere: no such results folder"),
        (["pack", "other", "packed.parquet"], 2, "DIR: other is not a results folder"),
        (["unpack", "nowhere.parquet", "there"], 2, "FILE: nowhere.parquet: no such results folder"),
        (["unpack", "other/notes.txt", "there"], 2, "FILE: other/notes.txt: not a packed results folder"),
        (["unpack", str(REFERENCE / "toy-blockwise.parquet"), "/proc/there"], 2, "DIR: /proc/there cannot"),
        (["notebooks", "other"], 2, "DIR: other is not a results folder"),
        (["list", "training", "x"], 2, "the block training has no 'x'"),
        (["list", "model", "eggn"], 2, "did you mean 'egnn'"),
        (["list", "model", ""], 2, "unknown model ''"),
        (["list", "modell"], 2, "did you mean 'model'"),
        (["show", "nowhere", "abc"], 2, "no such results folder"),
        (["plan", "nbody-quick", "--set", "refine={budget: 0}"], 2, "refine.budget"),
        (["plan", "nbody-quick", "--set", "refine=yes"], 2, "refine: "),
        (["plan", "nbody-quick", "--set", "equivalence={margin: 0.1}"], 2, "known: failure_rate, score"),
        (["plan", "nbody-quick", "--set", "published=[1]"], 2, "published.0"),
        (["plan", "nbody-quick", "--set", "control=nowhere"], 2, "there is no arm 'nowhere'"),
        (["plan", "nbody-quick", "--set", "arms.triangle.training.epohcs=3"], 2, "did you mean 'epochs'"),
        (["plan", "nbody-quick", "--set", "arms.triangle.training=fast"], 2, "must be a mapping"),
        (["list", "schemas"], 2, "did you mean 'schema'"),
        (["check", "nbody-quik"], 2, "did you mean 'nbody-quick'"),
        (["check", "nowhere:Net"], 2, "model.name: 'nowhere:Net' cannot be imported"),
        (["check", "study:Net"], 2, "has no attribute 'Net'"),
        (["check", "hidden_by_json:Net"], 2, "cannot be imported"),
        (["run", "twice.yaml"], 2, "twice.yaml, line 3: model: duplicate key"),
        (["run", "nbody-quick", "--set", "grid.seed=20240607"], 2, "write [20240607] for this one seed"),
        (["run", "nbody-quick", "--set", "grid.lr=[1e-3, 0.001]"], 2, "grid.lr: contains a value twice"),
        (["run", "nbody-quick", "--set", "training={epochs: 1, epochs: 2}"], 2, "duplicate key"),
        (["run", "nbody-quick", "--set", "task={name: forces, molecule: nowhere.xyz}"], 2, "nowhere.xyz"),
        (["status", "s3://a b"], 2, "DIR"),
        (["status", "raysubmit_1", "--address", "http://127.0.0.1:1"], 2, "no answer"),
        (["report", "nowhere"], 2, "DIR"),
        (["report", "nowhere", "--to", "/proc/r"], 2, "DIR"),
        (["pack", "nowhere", "packed.parquet"], 2, "DIR"),
        (["pack", str(REFERENCE / "toy-blockwise.parquet"), "s3://packed.parquet"], 2, "FILE"),
        (["notebooks", "nowhere"], 2, "DIR: nowhere: no such results folder"),
        (["data", "ethanoll"], 2, "did you mean 'ethanol'"),
        (["data", "ethanol", "--data-dir", "/proc/data"], 2, "/proc/data"),
        (["frobnicate"], 2, "frobnicate"),
        (["list"], 0, ""),
        (["--help"], 0, ""),
    ],
)
def test_exit_codes_and_messages(arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("my notes")
    (tmp_path / "twice.yaml").write_text("name: a\nmodel: egnn\nmodel: segnn\n")
    before = sorted(tmp_path.rglob("*"))
    finished = study(*arguments)
    assert finished.returncode == code, finished.stderr
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    if code == 2 and "frobnicate" not in arguments:
        assert len(finished.stderr.strip().splitlines()) <= 2
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def deleted_folder(tmp_path, monkeypatch):
    """A current folder that no longer exists."""
    folder = tmp_path / "deleted"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    yield
    os.chdir(tmp_path)


@pytest.mark.parametrize(
    "arguments", [["plan", "nbody-quick"], ["run", "nbody-quick"], ["status", "results"]]
)
def test_a_missing_current_folder_is_reported_in_one_line(deleted_folder, arguments):
    finished = study(*arguments)
    assert finished.returncode == 2
    assert finished.stderr == (
        "study: the current folder cannot be used (No such file or directory); change to another\n"
    )


def test_a_job_for_the_folder_of_another_study_is_refused(tmp_path):
    store = open_store(tmp_path / "results")
    config = load_config("nbody-quick", ["training.epochs=3"])
    write_folder(store, config, plan(config))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    finished = study("submit", "nbody-quick", "--address", "http://127.0.0.1:1", "--results", store.uri)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert "epochs" in finished.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_whose_folder_is_deleted_still_has_its_report(tmp_path, monkeypatch):
    """Ray deletes the folder of a job when the first of several nodes on one machine is done with it."""
    folder = tmp_path / "job"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run_without_trials(planner, planned, store, *unused):
        write_folder(store, *planned())
        folder.rmdir()

    monkeypatch.setattr("study.run.run_study", run_without_trials)
    finished = study("run", "nbody-quick", "--results", tmp_path / "results")
    assert finished.returncode == 1, finished.stderr
    assert os.getcwd() == "/"  # so that libraries that ask for the current folder find one
    assert finished.stdout.splitlines()[-1] == f"report: {tmp_path}/results/report/report.html"
    assert (tmp_path / "results/report/report.html").is_file()


def test_the_installed_command_ends_with_the_code_and_one_line():
    finished = subprocess.run([STUDY, "run", "nbody-quik"], capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("study: ")
    assert len(finished.stderr.splitlines()) == 1


def test_help_shows_defaults_in_brackets():
    assert "[default: results/NAME]" in study("run", "--help").stdout
    assert "[default: DIR, if only one]" in study("report", "--help").stdout
    assert "[default: DIR]" in study("notebooks", "--help").stdout


def test_a_console_without_unicode_shows_escapes(tmp_path):
    spec = {"training": {"lr": 1e-3}, "seed": 0}
    write_plan(open_store(tmp_path), [{"id": "0" * 16, "arm": "größe", "spec": spec}])
    for encoding in (
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ):
        finished = subprocess.run(
            [sys.executable, "-m", "study", "status", tmp_path],
            capture_output=True, env={**os.environ, **encoding}, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        assert b"gr\\xf6\\xdfe" in finished.stdout


def test_list_names_everything_that_a_study_may_use():
    shown = study("list").stdout
    for name in ("nbody-quick", "egnn", "segnn", "relaxed", "ace", "triangle", "pointclouds"):
        assert name in shown


def test_plan_counts_the_trials():
    shown = study("plan", "nbody-egnn")
    assert shown.returncode == 0
    assert "175 trials" in shown.stdout


def test_help_is_fast():
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run([STUDY, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        user, system = (
            after.children_user - before.children_user,
            after.children_system - before.children_system,
        )
        seconds.append(user + system)
    # CPU time: half a second on an idle machine, more on a busy one; heavy imports would need several seconds.
    assert min(seconds) < 1.0


def test_help_loads_nothing_heavy():
    code = (
        "import sys, study.cli; sys.exit(any(m in sys.modules for m in ('torch', 'ray', 'pandas', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HEAVY = ("torch", "e3nn", "ray", "pandas", "scipy", "matplotlib")


@pytest.mark.parametrize("arguments", [["list"], ["list", "models"], ["list", "training"], ["status", "DIR"]])
def test_commands_that_only_read_names_or_a_folder_load_nothing_heavy(arguments, tmp_path):
    write_plan(open_store(tmp_path), [])
    arguments = [str(tmp_path) if each == "DIR" else each for each in arguments]
    code = (
        "import sys, study.cli\n"
        "try:\n    study.cli.main()\n"
        f"finally:\n    print('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert finished.stdout.splitlines()[-1] == "loaded:"


def test_a_run_reports_what_it_does_before_the_slow_imports():
    code = "import sys, study.cli; sys.modules['study.config'] = None; study.cli.main()"
    finished = subprocess.run(
        [sys.executable, "-c", code, "run", "nbody-quick"], capture_output=True, text=True, check=False
    )
    assert finished.stdout == "reading nbody-quick\n"
    assert "study.config" in finished.stderr


def test_fetched_data_come_with_license_and_acknowledgement(monkeypatch, tmp_path):
    monkeypatch.setattr("trainables.tasks.datasets.fetch", lambda name, folder: [folder / "motion_run.pkl"])
    shown = CliRunner().invoke(app, ["data", "mocap", "--data-dir", str(tmp_path)])
    assert shown.exit_code == 0
    assert "motion_run.pkl" in shown.output
    assert "may not be resold" in shown.output
    assert "NSF EIA-0196217" in shown.output


def test_the_options_the_version_and_the_plan_are_printed():
    assert "whole number, >= 1 [default: 4]" in study("list", "model", "egnn").stdout
    assert study("list", "models").stdout.split()[0] == "egnn"
    assert study("--version").stdout.startswith("equivariance-study ")
    assert len(json.loads(study("plan", "nbody-egnn", "--json").stdout)) == 175
