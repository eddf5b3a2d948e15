"""Real runs that do not end well: interrupted, and with a trial that crashes."""

import json
import os
import signal
import subprocess
import time

import pytest
from small_runs import SMALL, STUDY, contents, write_config


@pytest.mark.slow  # the random kills of tests/faults test this every day; this test looks at the records themselves
def test_an_interrupted_run_keeps_finished_trials_and_resumes(tmp_path, study, data_folder):
    content = {**SMALL, "grid": {"lr": [1e-3], "seed": 2}}
    content["training"] = {"epochs": 40, "batch_size": 5}
    config = write_config(tmp_path, content)
    results = tmp_path / "results"
    command = [*STUDY, "run", str(config), "--results", str(results)]
    environment = {**os.environ, "STUDY_DATA": str(data_folder)}
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    deadline = time.monotonic() + 120
    while not list(results.glob("trials/*/record.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130, stderr
    assert "resumes from there" in stdout
    assert "Traceback" not in stderr
    kept = {path: content for path, content in contents(results).items() if path.name == "record.json"}
    assert kept
    resumed = study("run", config, "--results", results, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after = contents(results)
    assert {path: after[path] for path in kept} == kept
    assert len([path for path in after if path.name == "record.json"]) == 4


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_a_trial_that_crashes_is_tried_three_times_and_again_only_on_request(tmp_path, study):
    (tmp_path / "moody.py").write_text(
        "from pathlib import Path\n"
        "from trainables.models.egnn import EGNN\n"
        "HERE = Path(__file__).parent\n"
        "class Moody(EGNN):\n"
        "    def __init__(self, signature, *, layers: int = 1):\n"
        "        if layers == 1 and not (HERE / 'fixed').exists():\n"
        "            with (HERE / 'tries').open('a') as tries:\n"
        "                tries.write('x')\n"
        "            raise RuntimeError('in a bad mood')\n"
        "        super().__init__(signature, hidden=8, layers=layers)\n"
    )
    content = {**SMALL, "name": "moods", "model": {"name": "moody:Moody"}}
    content["arms"] = {"strict": {"method": "strict"}}
    content["grid"] = {"lr": [1e-3], "seed": 1, "model.layers": [1, 2, 3]}
    config = write_config(tmp_path, content)

    def run(*options):
        """The exit code, and the records by their number of layers."""
        process = study("run", config, "--results", tmp_path, "--no-check", *options, cwd=tmp_path)
        records = [json.loads(path.read_text()) for path in tmp_path.glob("trials/*/record.json")]
        assert ("in a bad mood" in process.stdout) == (process.returncode == 1)
        return process.returncode, {record["spec"]["model"]["layers"]: record for record in records}

    code, records = run()
    assert code == 1
    assert set(records) == {1, 2, 3}
    assert [layers for layers, record in records.items() if record["outcome"] == "crashed"] == [1]
    assert records[1]["reason"] == "error"
    assert records[1]["detail"].startswith("RuntimeError: in a bad mood (moody.py:")
    (crashed,) = (
        id
        for id in [record["id"] for record in records.values()]
        if (tmp_path / "trials" / id / "log.txt").exists()
    )
    log = (tmp_path / "trials" / crashed / "log.txt").read_text()
    assert log.count("RuntimeError: in a bad mood") == 3
    printed = study("status", tmp_path, cwd=tmp_path).stdout
    assert (
        f"1 trial crashed (error): {records[1]['detail']}; see {tmp_path}/trials/{crashed}/log.txt" in printed
    )
    (reason,) = json.loads(study("status", tmp_path, "--json", cwd=tmp_path).stdout)["crashes"]
    assert reason["trials"] == 1
    assert (tmp_path / "tries").read_text() == "xxx"

    (tmp_path / "fixed").touch()
    assert run() == (1, records)
    code, again = run("--retry-crashed")
    assert code == 0
    assert again[1]["outcome"] in ("learned", "failed")
    assert (again[2], again[3]) == (records[2], records[3])
