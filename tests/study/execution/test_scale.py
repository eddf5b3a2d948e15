"""Many trials: what the driver spends on ten thousand, and how little time slots lose between short ones."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import yaml
from ray.cluster_utils import Cluster
from tests_support import changed

from analysis.load import load_trials
from study.config import resolve_config
from study.folder import write_folder
from study.plan import plan
from trainables.results.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timed, pytest.mark.timeout(900)]
STUDY = str(Path(sys.executable).with_name("study"))
OWN_SECONDS, BYTES = 10.0, 1e9
NODES, TRIAL_SECONDS = 4, 4.0

# Trials that wait instead of computing: what is measured is the scheduling, on any number of cores.
MODEL = f"""
import time
import torch

class Waiting(torch.nn.Module):
    def __init__(self, signature, *, wait: bool = True):
        super().__init__()
        self.wait = wait
        self.time = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, graph):
        if self.training and self.wait:
            time.sleep({TRIAL_SECONDS})
        return self.time * graph.vectors[:, 0]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the model, in which commands run; nodes find the model through the environment."""
    (tmp_path / "waiting.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))
    return tmp_path


def write_config(folder, wait, lr, seeds):
    """Write a study with trials of one step each; returns its config and trials."""
    content = {**changed("grid", {"lr": lr, "seed": seeds}), "arms": {"strict": {"method": "strict"}}}
    content["model"] = {"name": "waiting:Waiting", "wait": wait}
    content["training"] = {"epochs": 1, "batch_size": 20}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    config = resolve_config(content)
    return config, plan(config)


def test_two_hundred_short_trials_keep_the_slots_of_four_nodes_busy(project, capsys):
    write_config(project, wait=True, lr=[1e-3], seeds=200)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(NODES):
            cluster.add_node(num_cpus=1)
        command = [STUDY, "run", "study.yaml", "--results", "results", "--address", cluster.address]
        subprocess.run(command, check=True, capture_output=True)
    finally:
        cluster.shutdown()
    trials = load_trials("results")
    assert trials["worker"].nunique() == NODES
    ends = trials["started"] + trials["seconds"]
    share = trials["seconds"].sum() / (NODES * (ends.max() - trials["started"].min()))
    with capsys.disabled():
        print(
            f"\n{len(trials)} trials of {trials['seconds'].median():.2f} s took {share:.1%} of the slots' time"
        )
    assert share >= 0.9


class Spent(NamedTuple):
    """CPU time in seconds and memory in bytes."""

    seconds: float
    memory: float


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
"""


def spent(*command):
    """What a command spends, started by a small process, since a new one is charged with its parent's memory."""
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, STUDY, *command], capture_output=True, text=True, check=True
    )
    return Spent(*map(float, measured.stdout.split()))


def spent_until_the_first_trial(results, trial):
    """What the driver of a run, without its children, has spent when the first trial begins."""
    command = [STUDY, "run", "study.yaml", "--results", results]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    driver = psutil.Process(run.pid)
    try:
        while not Path(results, "trials", trial.id).exists():
            assert run.poll() is None
            time.sleep(0.2)
        times = driver.cpu_times()
        return Spent(times.user + times.system, driver.memory_info().rss)
    finally:
        run.send_signal(signal.SIGTERM)
        run.wait()


def commands(folder, seeds):
    """What each command spends on a study of 50 trials per seed."""
    config, trials = write_config(folder, wait=False, lr={"log": [1e-4, 1e-1], "points": 50}, seeds=seeds)
    results = f"results-{seeds}"
    write_folder(open_store(results), config, trials)
    return {
        "plan": spent("plan", "study.yaml"),
        "status": spent("status", results),
        "start": spent_until_the_first_trial(results, trials[0]),
    }


def test_ten_thousand_trials_cost_the_driver_little(project, capsys):
    few, many = commands(project, seeds=1), commands(project, seeds=200)
    for name, (seconds, memory) in many.items():
        # How long it takes to load torch depends on what else the machine does; it is part of both numbers.
        own = seconds - few[name].seconds
        with capsys.disabled():
            print(f"\n{name}: {seconds:.1f} s of CPU, {own:.1f} s more than 50 trials; {memory / 1e6:.0f} MB")
        assert own < OWN_SECONDS
        assert memory < BYTES
