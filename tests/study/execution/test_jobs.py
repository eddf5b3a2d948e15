"""A study as a job: submitted to a head with a job server, its folder in an S3 bucket, all on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import boto3
import psutil
import pytest
import yaml
from moto.server import ThreadedMotoServer
from tests_support import changed, study

from study.config import resolve_config
from study.execution import jobs
from study.execution.jobs import Job, fetch, find_job, job_command, submit
from study.folder import write_folder
from study.lock import locked
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.store import LocalStore, open_store

BIN = Path(sys.executable).parent
SMALL = changed("grid", {"lr": [1e-3], "seed": 1})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def bucket():
    """URI of an empty bucket of an S3 server on loopback; credentials are in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="studies")
        yield "s3://studies"
    server.stop()


@pytest.fixture(scope="module")
def head(bucket):
    """Address of the job server of a Ray head with two CPUs."""
    port = free_port()
    ports = ["--port", free_port(), "--dashboard-port", port, "--dashboard-host", "127.0.0.1"]
    ports += ["--dashboard-agent-listen-port", free_port()]
    command = [BIN / "ray", "start", "--head", "--block", "--num-cpus", 2, *ports]
    # The head must find `study` on its PATH: the entry point of the job is the command line of this project.
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "RAY_AUTH_MODE": "disabled"}
    process = subprocess.Popen(
        list(map(str, command)), env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_it_answers(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_it_answers(port):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("the head did not come up")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's own folder, which is sent to the cluster."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SMALL))
    (tmp_path / "own.py").write_text(
        "from trainables.models.egnn import EGNN\n\n\nclass Own(EGNN):\n    pass\n"
    )
    return tmp_path


def assert_refused(process, *words):
    assert process.returncode == 2, process.stdout + process.stderr
    assert len(process.stderr.strip().splitlines()) == 1, process.stderr
    for word in words:
        assert word in process.stderr


@pytest.mark.timeout(400)
def test_a_study_is_submitted_stopped_submitted_again_and_fetched(head, bucket, project):
    results = f"{bucket}/first"
    options = ["--address", head, "--results", results, "--data-dir", project / "data"]
    own = ["--set", "model={name: 'own:Own', hidden: 8, layers: 2}"]
    assert study("submit", "small.yaml", *own, *options).returncode == 0
    stopped = find_job(open_store(results))
    assert study("stop", results).returncode == 0
    end = time.monotonic() + 60
    while (state := study("status", stopped.id, "--address", head).stdout.strip()) != "STOPPED":
        assert time.monotonic() < end, state

    done = study("submit", "small.yaml", *own, *options, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 planned" in done.stdout
    counts = json.loads(study("status", results, "--json").stdout)
    assert (counts["planned"], counts["crashed"], counts["missing"]) == (2, 0, 0)
    assert "2 planned" in study("logs", results).stdout
    job = find_job(open_store(results))
    assert job.id != stopped.id
    assert study("status", job.id, "--address", head).stdout.strip() == "SUCCEEDED"

    assert study("fetch", results, "copy").returncode == 0
    assert json.loads(study("status", "copy", "--json").stdout) == counts
    assert (project / "copy" / "report" / "report.html").is_file()


def test_a_job_that_fails_says_why(head, bucket, project):
    options = ["--address", head, "--results", f"{bucket}/second", "--data-dir", project / "data"]
    failed = study("submit", "small.yaml", *options, "--set", "resources.gpus=1", "--wait")
    assert failed.returncode != 0
    assert "resources.gpus" in failed.stdout


def test_no_shell_stands_between_the_job_and_its_run(tmp_path):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = job_command("nbody-quick", [], str(tmp_path), None)
    with subprocess.Popen(
        command, shell=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as job:
        process, end = psutil.Process(job.pid), time.monotonic() + 10
        try:
            while process.name() == "sh":  # an early stop would end the shell instead of the run
                assert time.monotonic() < end
                time.sleep(0.01)
        finally:
            job.kill()


def test_wrong_addresses(bucket, project):
    options = ["small.yaml", "--results", f"{bucket}/third"]
    assert_refused(study("submit", *options, "--address", "127.0.0.1:8265"), "write http://HEAD:8265")
    nobody = f"http://127.0.0.1:{free_port()}"
    assert_refused(study("submit", *options, "--address", nobody), nobody, "no answer")
    no_job_server = os.environ["AWS_ENDPOINT_URL"]
    assert_refused(study("submit", *options, "--address", no_job_server), no_job_server, "ray[default]")
    assert_refused(study("run", *options, "--address", f"127.0.0.1:{free_port()}"), "--address", "no answer")


def test_wrong_folders(bucket, project):
    options = ["--address", "http://127.0.0.1:1", "--results"]
    missing = study("submit", "small.yaml", *options, "s3://nowhere-at-all/x")
    assert_refused(missing, "--results", "bucket")
    assert_refused(study("logs", f"{bucket}/empty"), "has no submitted job")
    assert_refused(study("fetch", f"{bucket}/empty", "copy"), "contains no files")
    (project.parent / "outside.yaml").write_text(yaml.safe_dump(SMALL))
    outside = study("submit", "../outside.yaml", *options, f"{bucket}/fourth")
    assert_refused(outside, "must be in the current folder")


class EndingTrial(LocalStore):
    """A local folder; as the first file arrives, a trial in the folder copied from ends and deletes a file."""

    ends, written = Path(), ()

    def write(self, path, content):
        self.ends.unlink(missing_ok=True)
        type(self).written += (path,)
        super().write(path, content)


def test_fetch_of_a_running_study(tmp_path, monkeypatch):
    source, target = open_store(tmp_path / "source"), tmp_path / "copy"
    for path in ("study.yaml", "plan.json", "trials/a/record.json", "trials/z/checkpoint.pt"):
        source.write(path, b"name: mine\n")
    monkeypatch.setattr(EndingTrial, "ends", tmp_path / "source/trials/z/checkpoint.pt")
    monkeypatch.setattr(jobs, "LocalStore", EndingTrial)
    assert fetch(source.uri, str(target)) == 3
    assert not (target / "trials/z").exists()
    assert len(EndingTrial.written) == 3
    assert EndingTrial.written[-1] == "study.yaml"  # until then the copy is not taken for a whole one
    assert fetch(source.uri, str(target)) == 3  # may be repeated


def test_fetch_does_not_mix_two_studies(tmp_path):
    for name in ("mine", "theirs"):
        open_store(tmp_path / name).write("study.yaml", f"name: {name}\n".encode())
    with pytest.raises(BadInput, match=r"contains the study 'mine', not 'theirs'; fetch into a new folder"):
        fetch(str(tmp_path / "theirs"), str(tmp_path / "mine"))
    assert (tmp_path / "mine/study.yaml").read_text() == "name: mine\n"


def test_no_credentials(bucket, project, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    refused = study("submit", "small.yaml", "--address", "http://127.0.0.1:1", "--results", f"{bucket}/fifth")
    assert_refused(refused, "--results", "cannot be written")


def test_a_locked_folder_in_a_bucket(bucket, project):
    store = open_store(f"{bucket}/locked")
    with locked(store):
        with pytest.raises(BadInput, match="is in use by process"), locked(store):
            pass
        refused = study("submit", "small.yaml", "--address", "http://127.0.0.1:1", "--results", store.uri)
        assert_refused(refused, "is in use by process")
    assert store.names("") == []


def test_a_job_is_found_by_its_folder(tmp_path):
    store = open_store(tmp_path)
    store.write("job.json", b'{"id": "raysubmit_1", "address": "http://head:8265"}')
    assert find_job(store) == Job("raysubmit_1", "http://head:8265")


def test_a_refined_study_with_a_second_round_may_be_submitted_again(project, tmp_path):
    grid = {"lr": [1e-3, 1e-2], "seed": 2}
    content = {**SMALL, "grid": grid, "refine": {"edge": 0.1, "budget": 99}}
    (project / "refined.yaml").write_text(yaml.safe_dump(content))
    config, store = resolve_config(content), open_store(tmp_path / "results")
    larger = plan(resolve_config({**content, "grid": {**grid, "seed": 3}}))
    first = {trial.id for trial in plan(config)}
    write_folder(store, config, [replace(t, round=1 if t.id in first else 2) for t in larger])
    with pytest.raises(BadInput, match="no answer"):  # as far as the address, at which there is no head
        submit("refined.yaml", [], store, f"http://127.0.0.1:{free_port()}")
