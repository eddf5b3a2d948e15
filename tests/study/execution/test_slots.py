"""Slots of a cluster: what they ask for, what the driver keeps of what ended, and what their ends do to a run."""

import json
import os
import sys
import time

import psutil
import pytest
import ray
from ray import cloudpickle, tune
from ray.cluster_utils import Cluster

from study.config import Resources
from study.execution import slots
from trainables.errors import BadInput

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs and two GPUs, the latter pretended."""
    node = {"num_cpus": 2, "num_gpus": 2, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def pretend(config, queue, conditions):
    """Stands for the trainable: ends each trial at once and appends what the slot has to a file."""
    slot = tune.get_context().get_trial_id()
    context = ray.get_runtime_context()
    with open(conditions["folder"] + f"/{slot}", "a") as seen:
        print(json.dumps([context.get_assigned_resources(), context.get_accelerator_ids()]), file=seen)
    trial = ray.get(queue.next_trial.remote(slot))
    while trial is not None:
        time.sleep(conditions["seconds"])
        trial = ray.get(queue.next_trial.remote(slot, json.loads(trial), "learned"))
    tune.report({"trials": 0})


@pytest.fixture(autouse=True)
def workers_have_this_file():
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    if module.__name__ in cloudpickle.list_registry_pickle_by_value():
        cloudpickle.unregister_pickle_by_value(module)


def run(monkeypatch, folder, trials, resources, show=lambda news: None, seconds=0.0):
    monkeypatch.setattr(slots, "trainable", pretend)
    specs = {f"{number}": json.dumps(f"{number}") for number in range(trials)}
    return slots.run_trials(specs, resources, {"folder": str(folder), "seconds": seconds}, show)


def test_shares_of_a_gpu_arrive_as_resources_of_the_slots(cluster, monkeypatch, tmp_path):
    most = 0

    def show(news):
        nonlocal most
        most = max(most, news.running)

    run(monkeypatch, tmp_path, 4, Resources(cpus=0.5, gpus=0.5), show, seconds=5.0)
    slots_seen = [json.loads(path.read_text().splitlines()[0]) for path in tmp_path.iterdir()]
    assert [(has["CPU"], has["GPU"]) for has, _ in slots_seen] == [(0.5, 0.5)] * 4
    assert sorted(ids["GPU"][0] for _, ids in slots_seen) == ["0", "0", "1", "1"]
    assert most == 4


def test_the_driver_keeps_nothing_of_trials_that_ended(cluster, monkeypatch, tmp_path):
    memory = []

    def show(news):
        memory.append((news.left, psutil.Process(os.getpid()).memory_info().rss))

    run(monkeypatch, tmp_path, 4000, Resources(), show)
    assert memory[-1][0] == 0
    working = [bytes for left, bytes in memory if left < 4000]
    assert working[-1] - working[0] < 10e6


def test_a_worker_that_cannot_import_ends_the_run(cluster, monkeypatch, tmp_path):
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])  # workers look for this file, in vain
    words = (
        r"worker cannot import what trials need \(.*No module named 'test_slots'\); install it on every node"
    )
    with pytest.raises(BadInput, match=words):
        run(monkeypatch, tmp_path, 4, Resources())
