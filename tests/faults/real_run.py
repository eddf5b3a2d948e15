"""`study run` of a small study in a process that tests disturb, and the table that it must end with."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pandas as pd
import psutil
import torch
import yaml

from analysis.load import load_history, load_trials
from study.config import resolve_config
from study.folder import check_folder, later_rounds, write_folder
from study.plan import plan
from study.refine.rounds import with_rounds
from trainables.results.record import read_records
from trainables.results.store import open_store
from trainables.worker.attempt import TrialContext, attempt

HERE = Path(__file__).parent
STUDY = str(Path(sys.executable).with_name("study"))
RUN_SECONDS, LEAVE_SECONDS = 600, 180
SECRETS = {
    name: f"secret-{number}-7f3a91"
    for number, name in enumerate(("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WANDB_API_KEY", "HF_TOKEN"))
}
WORKER = ("ray::trial", "ray::Implicit")  # with a trial, and between two trials
VARYING = ["seconds", "cpu_seconds", "started", "worker"]
CONTENT = {
    "name": "disturbed",
    "task": {"name": "nbody", "train": 20, "val": 10, "test": 10},
    "model": {"name": "faulty_models:Patient", "hidden": 8, "layers": 1},
    "training": {"epochs": 4, "batch_size": 5},
    "arms": {"strict": {"method": "strict"}, "triangle": {"method": "relaxed", "schedule": "triangle"}},
    "grid": {"lr": [3e-2, 1e3], "seed": 2},
}


class RealRun:
    """A results folder and the process that runs the study in it, found among all others by a mark it inherits."""

    def __init__(self, folder, content=CONTENT, results=None, **environment):
        self.config, self.log = folder / "config.yaml", folder / "log"
        self.config.write_text(yaml.safe_dump(content))
        self.results, self.data = results or folder / "results", folder / "data"
        # Not below `folder`: the path of a socket must be short.
        self.scratch = Path(tempfile.mkdtemp(prefix="run-", dir="/tmp"))
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            **SECRETS,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
            "BATCH_SECONDS": "0.1",
            "TMPDIR": str(self.scratch),
            "STUDY_DATA": str(self.data),
            "MARK": self.mark,
            **environment,
        }
        self.seen = {}

    def start(self, *options):
        """Begin the run, or resume it."""
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [STUDY, "run", str(self.config), "--results", str(self.results), *options],
                stdout=log, stderr=log, env=self.environment, start_new_session=True,
            )  # fmt: skip

    def finish(self):
        """Wait until no process of the run is left; returns the exit code."""
        code = self.process.wait(RUN_SECONDS)
        # A worker of Ray that was just starting looks for its lost head for more than a minute.
        wait_until(lambda: not self.processes(), LEAVE_SECONDS, "processes outlive their run")
        self.check_records()
        return code

    def open_addresses(self):
        """Addresses on which its processes can be reached from other machines."""
        listening = [
            connection.laddr.ip
            for process in self.processes()
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        return {ip for ip in listening if ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")}

    def leaks(self):
        """Files of the run, including its logs and Ray's, that contain a secret of its environment."""
        places = (self.config.parent, self.results, self.scratch)
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        assert any("raylet" in path.name for path in files)
        return [
            path for path in files if any(secret.encode() in path.read_bytes() for secret in SECRETS.values())
        ]

    def end(self):
        """Leave nothing behind, whatever the test found."""
        for process in self.processes():
            process.kill()
        shutil.rmtree(self.scratch)

    def output(self):
        return self.log.read_text(errors="replace")

    def done(self):
        """Whether no trial is left."""
        return self.check_records() == len(json.loads((self.results / "plan.json").read_text()))

    def processes(self, name=""):
        """All living processes of the run whose command begins with `name`, or with one of several names."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("MARK") == self.mark and process.status() != psutil.STATUS_ZOMBIE
                if ours and Path((process.cmdline() or [""])[0]).name.startswith(name):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def records(self):
        return {path.parent.name: path.read_bytes() for path in self.results.glob("trials/*/record.json")}

    def check_records(self):
        """How many trials are done; asserts that their records are complete and stay as they are."""
        records = self.records()
        assert self.seen.items() <= records.items()
        for content in records.values():
            assert "checksum" in json.loads(content)
        self.seen = records
        return len(records)

    def send_fault(self, victim, sign, moments):
        """Send a signal to the driver, a worker, the raylet or, like Ctrl-C, all processes in the foreground."""
        try:
            if victim == "driver":
                self.process.send_signal(sign)
            elif victim == "terminal":
                os.killpg(self.process.pid, sign)
            else:
                commands = {"worker": WORKER, "raylet": "raylet"}
                found = {process.pid: process for process in self.processes(commands[victim])}
                # A child of the same name is about to become another program.
                moments.choice([one for one in found.values() if one.ppid() not in found]).send_signal(sign)
        except (ProcessLookupError, psutil.NoSuchProcess, IndexError):
            return  # it has already ended


def wait_until(holds, seconds, complaint):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, complaint
        time.sleep(0.1)


def undisturbed(folder, content=CONTENT, data=None):
    """The results folder of the study with its trials run one by one in this process, without Ray."""
    config = resolve_config(content)
    store = open_store(folder)
    trials = plan(config) + later_rounds(store, config)
    check_folder(store, config, trials)
    torch.set_num_threads(1)
    while True:
        records, _ = read_records(store, [trial.id for trial in trials])
        trials = with_rounds(config, trials, records)
        write_folder(store, config, trials)
        missing = [trial for trial in trials if trial.id not in records]
        if not missing:
            return folder
        for trial in missing:
            attempt(trial.spec, TrialContext(store, data or folder / "data", torch.device("cpu")))


def assert_same_tables(results, reference):
    """Assert that trials and histories are equal bit for bit, except for times and machines."""
    for load in (load_trials, load_history):
        one, other = (load(folder) for folder in (results, reference))
        dropped = [name for name in VARYING if name in one]
        pd.testing.assert_frame_equal(
            one.drop(columns=dropped), other.drop(columns=dropped), check_exact=True
        )
    assert not list(results.glob("trials/*/checkpoint.pt"))
    assert not list(results.glob("trials/*/attempts.json"))
    assert not (results / "run.lock").exists()
