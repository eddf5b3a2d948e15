"""Nodes and drivers are lost, and the results are those of an undisturbed run."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from ray.cluster_utils import Cluster
from tests_support import changed

from study.config import resolve_config
from study.plan import plan
from trainables.results.record import history_path, record_path
from trainables.results.store import open_store
from trainables.worker.attempt import TrialContext, attempt

STUDY = str(Path(sys.executable).with_name("study"))
VARYING = ("seconds", "cpu_seconds", "started", "worker", "history_sha256", "checksum")
RUN_SECONDS = 900


def study_of(trials, epochs):
    """A study of `trials` trials (a multiple of four, half at a learning rate that fails) on tiny data."""
    content = changed("grid", {"lr": [1e-3, 1e3], "seed": trials // 4})
    return {**content, "training": {"epochs": epochs, "batch_size": 5}}


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no trials; the tests add nodes."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def nodes(cluster):
    """Adds single-CPU nodes, and removes those that are left at the end."""
    yield lambda count: [cluster.add_node(num_cpus=1, wait=False) for _ in range(count)]
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node)


class Driver:
    """`study run` in a separate process, on a cluster."""

    def __init__(self, folder, content, cluster, data):
        config = folder / "study.yaml"
        config.write_text(yaml.safe_dump(content))
        self.results = folder / "results"
        self.trials = plan(resolve_config(content))
        options = ["--results", self.results, "--data-dir", data, "--address", cluster.address]
        self.command = [STUDY, "run", config, *options]
        self.log = folder / "log"
        self.seen = {}

    def start(self):
        with self.log.open("a") as log:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)

    def check_records(self):
        """Remember each record when it first appears; a finished trial must never be run again."""
        for path in self.results.glob("trials/*/record.json"):
            content = path.read_bytes()
            assert self.seen.setdefault(path.parent.name, content) == content
        return len(self.seen)

    def wait_for(self, records):
        """Wait until `records` trials are finished, or the driver has ended."""
        end = time.monotonic() + RUN_SECONDS
        while self.check_records() < records and self.process.poll() is None:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def finish(self):
        self.process.wait(RUN_SECONDS)
        self.check_records()
        assert self.process.returncode == 0, self.log.read_text()


def numbers(results, trial_id):
    """Record and history of a trial, without times and machines."""
    record = json.loads((results / record_path(trial_id)).read_bytes())
    history = pd.read_parquet(results / history_path(trial_id)).drop(columns="seconds")
    return {key: value for key, value in record.items() if key not in VARYING}, history.to_dict("list")


def run_alone(driver, folder, data):
    """The results folder of the planned trials, run one by one in this process."""
    torch.set_num_threads(1)
    alone = TrialContext(open_store(folder / "alone"), Path(data), torch.device("cpu"))
    for trial in driver.trials:
        attempt(trial.spec, alone)
    return folder / "alone"


def assert_as_undisturbed(driver, undisturbed):
    """Assert that every planned trial has the same numbers as in another results folder."""
    for trial in driver.trials:
        assert repr(numbers(driver.results, trial.id)) == repr(numbers(undisturbed, trial.id))
    assert {path.name for path in (driver.results / "trials").iterdir()} == {t.id for t in driver.trials}
    assert not list(driver.results.glob("trials/*/attempts.json"))


def lose_nodes(driver, cluster, nodes, lost, added):
    """Kill a node each time that a few more trials are done; then add new ones."""
    for step in range(lost):
        driver.wait_for((step + 1) * len(driver.trials) // (lost + 2))
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    nodes(added)
    driver.finish()


def kill_drivers(driver, times):
    """Kill the driver at random moments and start it again."""
    moments = random.Random(0)
    driver.start()
    for step in range(times):
        driver.wait_for(step * len(driver.trials) // (times + 1) + 1)
        time.sleep(moments.uniform(0, 1))
        driver.process.send_signal(signal.SIGKILL)
        driver.process.wait()
        driver.start()
    driver.finish()


@pytest.mark.slow
def test_lost_nodes_change_nothing(cluster, nodes, tmp_path):
    driver = Driver(tmp_path, study_of(trials=8, epochs=20), cluster, tmp_path / "data")
    nodes(2)
    driver.start()
    lose_nodes(driver, cluster, nodes, lost=1, added=1)
    assert_as_undisturbed(driver, run_alone(driver, tmp_path, tmp_path / "data"))


@pytest.mark.slow
def test_a_killed_driver_changes_nothing(cluster, nodes, tmp_path):
    driver = Driver(tmp_path, study_of(trials=8, epochs=2), cluster, tmp_path / "data")
    nodes(1)
    kill_drivers(driver, times=1)
    assert_as_undisturbed(driver, run_alone(driver, tmp_path, tmp_path / "data"))


@pytest.mark.slow
@pytest.mark.timeout(3 * RUN_SECONDS)
def test_nodes_are_lost_one_after_the_other_until_one_is_left(cluster, nodes, tmp_path):
    driver = Driver(tmp_path, study_of(trials=40, epochs=60), cluster, tmp_path / "data")
    nodes(4)
    driver.start()
    lose_nodes(driver, cluster, nodes, lost=3, added=3)
    assert_as_undisturbed(driver, run_alone(driver, tmp_path, tmp_path / "data"))


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.timeout(3 * RUN_SECONDS)
def test_the_driver_is_killed_at_five_moments(cluster, nodes, tmp_path, capsys):
    nodes(2)
    # Long enough that five more starts, each of tens of seconds on a busy machine, fit into the limit.
    content = study_of(trials=40, epochs=300)
    seconds, drivers = [], []
    for kills in (0, 5):
        (tmp_path / f"{kills}").mkdir()
        drivers.append(Driver(tmp_path / f"{kills}", content, cluster, tmp_path / "data"))
        started = time.monotonic()
        kill_drivers(drivers[-1], kills)
        seconds.append(time.monotonic() - started)
    undisturbed, killed = drivers
    assert_as_undisturbed(killed, undisturbed.results)
    with capsys.disabled():
        print(f"\nundisturbed {seconds[0]:.0f} s, with five kills {seconds[1]:.0f} s")
    assert seconds[1] < 2.5 * seconds[0]
