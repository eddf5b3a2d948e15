"""One trial as text."""

import json

import pytest
import typer

from study.commands.jobs import logs
from study.inspection.show import show, trial_log
from trainables.errors import BadInput
from trainables.results.pack import open_source, pack
from trainables.results.record import Record, log_path, write_outcome
from trainables.results.store import LocalStore

SPEC = {"task": {"name": "nbody"}, "seed": 3}
IDS = ("0123456789abcdef", "0123456789abcdff", "fedcba9876543210")


@pytest.fixture
def store(tmp_path):
    store = LocalStore(tmp_path)
    store.write(
        "plan.json", json.dumps([{"id": name, "arm": "strict", "spec": SPEC} for name in IDS]).encode()
    )
    write_outcome(store, Record(id=IDS[2], spec=SPEC, outcome="failed", reason="diverged", epochs=4), [])
    return store


def test_a_trial_is_shown_by_the_beginning_of_its_id(store):
    shown = show(store, "fed")
    assert shown.splitlines()[0] == f"trial {IDS[2]}, arm strict"
    assert "reason               diverged" in shown
    assert shown.endswith("task:\n  name: nbody\nseed: 3")


def test_a_trial_without_a_record_says_so(store):
    assert "has no result yet" in show(store, IDS[0])


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        ("0123", "2 trials begin with '0123'"),
        ("fedcba9876543211", f"did you mean '{IDS[2]}'"),
        ("zz0", rf"no trial 'zz0'.*did you mean '{IDS[0][:6]}"),
        ("fedx", rf"no trial 'fedx'.*did you mean '{IDS[2]}'.*trials\.csv"),
    ],
)
def test_an_unknown_or_ambiguous_trial_is_reported_in_one_line(store, trial, words):
    with pytest.raises(BadInput, match=words):
        show(store, trial)


def test_the_log_of_a_trial(store):
    store.write(log_path(IDS[2]), "epoch 3: café\n".encode())
    assert trial_log(store, "fed") == "epoch 3: café\n"
    with pytest.raises(BadInput, match=f"did you mean '{IDS[2]}'"):
        trial_log(store, "fedx")
    with pytest.raises(BadInput, match=f"{IDS[0]} has no log"):
        trial_log(store, IDS[0])


def test_logs_shows_a_trial_without_a_cluster(store, capsys):
    store.write(log_path(IDS[2]), b"epoch 3\n")
    logs(store.uri, trial="fed")
    assert capsys.readouterr().out == "epoch 3\n"
    with pytest.raises(BadInput, match=r"--trial: .*leave out --follow"):
        logs(store.uri, trial="fed", follow=True)


def test_logs_follows_a_job_to_its_end(store, capsys, monkeypatch):
    store.write("job.json", b'{"id": "raysubmit_1", "address": "http://127.0.0.1:1"}')

    def wait(job, show):
        show(f"{job.id} is running\n")
        return 3

    monkeypatch.setattr("study.execution.jobs.wait", wait)
    with pytest.raises(typer.Exit) as ended:
        logs(store.uri, follow=True)
    assert ended.value.exit_code == 3
    assert capsys.readouterr().out == "raysubmit_1 is running\n"


def test_a_folder_without_a_plan_is_reported_in_one_line(tmp_path):
    with pytest.raises(BadInput, match="is it a results folder"):
        show(LocalStore(tmp_path), "a")


def test_a_trial_of_a_packed_file_is_shown_the_same_way(store, tmp_path):
    pack(tmp_path, tmp_path / "packed.parquet")
    assert show(open_source(tmp_path / "packed.parquet"), "fed") == show(store, "fed")


def test_an_empty_plan_is_reported_in_one_line(tmp_path):
    store = LocalStore(tmp_path)
    store.write("plan.json", b"[]")
    with pytest.raises(BadInput, match="the plan is empty"):
        show(store, "a")
