"""A study as a job of a Ray cluster: submit it, read its log, stop it, fetch its folder.

The job is `study run` on the head of the cluster. It may be submitted again after any loss: trials with a record
are not run again.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from study.config import load_config, presets
from study.execution.hidden import refuse_hidden
from study.execution.reach import check_reachable
from study.folder import check_folder, known_trials
from study.lock import LOCK, refuse_if_held
from study.plan import PlannedTrial, plan
from study.rehearsal.check import check_trials
from trainables.errors import BadInput
from trainables.results.folder import CONFIG, Damaged, read_config
from trainables.results.store import LocalStore, Store, open_store

JOB = "job.json"
NOT_SENT = [".git", "__pycache__", ".venv", "venv", ".env", "results", "data", "*.pt", "*.parquet"]
POLL_SECONDS = 1.0
AGENT_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """A job and the address of the job server that knows it."""

    id: str
    address: str


def submit(
    config: str,
    overrides: list[str],
    store: Store,
    address: str,
    data_folder: str | None = None,
    data_here: str | None = None,
) -> Job:
    """Submit `study run` of a config to the cluster at `address`, with the current folder as its code.

    Args:
        data_folder: Data folder on the nodes; None for the default one.
        data_here: Data folder of this machine, with which the trials are checked beforehand; None to leave that to
            the job.

    Raises:
        BadInput: If the config, a folder or the address is wrong, or a trial would not work.
    """
    study = load_config(config, overrides)
    trials = plan(study)
    command = job_command(config, overrides, store.uri, data_folder, check=data_here is not None)
    refuse_hidden(Path.cwd())
    refuse_if_held(store)
    check_folder(store, study, known_trials(store, study, trials))
    with _job_server(address) as client:
        if data_here is not None:
            _check_locally(trials, data_here)
        job_id = _submit_when_up(client, command, study.name)
    store.write(JOB, json.dumps({"id": job_id, "address": address}).encode())
    return Job(job_id, address)


def _check_locally(trials: list[PlannedTrial], data_folder: str) -> None:
    """Check the trials, unless their data are missing on this machine: then the job checks them."""
    try:
        check_trials(trials, data_folder)
    except BadInput as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, FileNotFoundError):
            cause = cause.__cause__
        if cause is None:
            raise


def _submit_when_up(client: JobSubmissionClient, command: str, study: str) -> str:
    """The id of the job. A head that has just started answers before its agent can take jobs: wait for that."""
    end = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return client.submit_job(
                entrypoint=command,
                runtime_env={"working_dir": ".", "excludes": NOT_SENT},
                metadata={"study": study},
            )
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(POLL_SECONDS)


def job_command(
    config: str, overrides: list[str], results: str, data_folder: str | None, check: bool = True
) -> str:
    """The command for the head of the cluster, to be run in a copy of the current folder."""
    path = Path(config)
    if config not in presets():
        if not path.resolve().is_relative_to(Path.cwd()):
            raise BadInput(f"CONFIG: {config} must be in the current folder, which is sent to the cluster")
        config = path.resolve().relative_to(Path.cwd()).as_posix()
    words = ["study", "run", config, "--address", "auto", "--results", results]
    words += [] if data_folder is None else ["--data-dir", data_folder]
    words += [word for override in overrides for word in ("--set", override)]
    words += [] if check else ["--no-check"]
    # Ray signals the shell and the children it has by then: without exec, a job stopped as it starts would survive.
    return f"exec {shlex.join(words)}"


def find_job(store: Store) -> Job:
    """The job last submitted for a results folder.

    Raises:
        BadInput: If there was none.
    """
    try:
        return Job(**json.loads(store.read(JOB)))
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise BadInput(f"JOB: {store.uri} has no submitted job; give a job's id and --address") from error


def job_status(job: Job) -> str:
    """The state of the job: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED."""
    with _job_server(job.address) as client:
        return str(client.get_job_status(job.id))


def job_log(job: Job) -> str:
    """The output of the job so far."""
    with _job_server(job.address) as client:
        return client.get_job_logs(job.id)


def stop(job: Job) -> None:
    """Ask the job to end; finished trials are kept, as with Ctrl-C."""
    with _job_server(job.address) as client:
        client.stop_job(job.id)


def wait(job: Job, show: Callable[[str], Any]) -> int:
    """Show the output of the job until it ends; returns its exit code, 1 if it has none."""
    shown = 0
    while True:
        with _job_server(job.address) as client:
            ended = client.get_job_status(job.id).is_terminal()
            log = client.get_job_logs(job.id)
            show(log[shown:])
            shown = len(log)
            if ended:
                details = client.get_job_info(job.id)
                succeeded = details.status == JobStatus.SUCCEEDED
                return 0 if succeeded else details.driver_exit_code or 1
        time.sleep(POLL_SECONDS)


@contextmanager
def _job_server(address: str) -> Iterator[JobSubmissionClient]:
    """A client of the job server; any error becomes BadInput in one line."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"--address {address}: write http://HEAD:8265")
    check_reachable(address, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    try:
        yield JobSubmissionClient(address)
    except AuthenticationError as error:
        remedy = (
            "set RAY_AUTH_MODE=token and save the head's token (`ray get-auth-token`) in ~/.ray/auth_token"
        )
        raise BadInput(f"--address {address}: the cluster requires a token; {remedy}") from error
    except (RuntimeError, ConnectionError, OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        reason = " ".join(str(error).split())[:300]
        remedy = (
            'the head needs ray[default] and its dashboard, and the job id must be one from "study submit"'
        )
        raise BadInput(f"--address {address}: the job server refused ({reason}); {remedy}") from error


def fetch(uri: str, folder: str) -> int:
    """Copy a results folder from anywhere to a local folder; returns the number of files.

    Raises:
        BadInput: If it has none, or the local folder contains another study.
    """
    target = LocalStore(folder)
    try:
        system, root = fs.FileSystem.from_uri(uri if "://" in uri else str(Path(uri).resolve()))
        infos = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    except (OSError, ValueError) as error:
        raise BadInput(f"URI: {uri} cannot be read ({' '.join(str(error).split())[:300]})") from error
    files = [info for info in infos if info.is_file and not info.base_name.startswith((".", LOCK))]
    if not files:
        raise BadInput(f"URI: {uri} contains no files; is it a results folder?")
    _refuse_another_study(target, open_store(uri))
    paths = {info.path[len(root) :].lstrip("/"): info.path for info in files}
    copied = 0
    for path in sorted(paths, key=lambda path: path == CONFIG):  # study.yaml last: then the copy is whole
        try:
            with system.open_input_file(paths[path]) as file:
                content = file.read()
        except FileNotFoundError:
            continue  # a trial that has ended since deletes its checkpoint
        target.write(path, content)
        copied += 1
    return copied


def _refuse_another_study(target: Store, source: Store) -> None:
    try:
        here, there = read_config(target)["name"], read_config(source)["name"]
    except (FileNotFoundError, Damaged):
        return
    if here != there:
        raise BadInput(
            f"DIR: {target.uri} contains the study '{here}', not '{there}'; fetch into a new folder"
        )
