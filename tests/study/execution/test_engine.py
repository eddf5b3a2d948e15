"""Trials in Tune: the resources they request, what the driver keeps of ended ones, and what ends a run."""

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import ray
from ray import cloudpickle
from ray.cluster_utils import Cluster

from study.config import Resources
from study.execution import engine
from study.execution.engine import run_trials
from study.execution.search import PlannedSearch
from trainables.errors import BadInput
from trainables.results.store import Unavailable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two CPUs and two pretended GPUs."""
    node = {"num_cpus": 2, "num_gpus": 2, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def pretend(config, conditions):
    """Stands in for the trainable: writes the resources of its worker to a file, waits, and ends."""
    context = ray.get_runtime_context()
    has = [context.get_assigned_resources(), context.get_accelerator_ids()]
    Path(conditions["folder"], config["name"]).write_text(json.dumps(has))
    time.sleep(conditions["seconds"])
    return {"outcome": "learned"}


def out_of_reach(config, conditions):
    """Stands in for a trainable that cannot reach the results folder."""
    raise Unavailable("s3://somewhere: no route")


def killed(config, conditions):
    """Stands in for a trainable whose worker the system always kills, as if memory had run out."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def workers_have_this_file():
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    if module.__name__ in cloudpickle.list_registry_pickle_by_value():
        cloudpickle.unregister_pickle_by_value(module)


def run(folder, trials, resources, show=lambda news: None, seconds=0.0, stand_in=pretend):
    names = [f"strict-lr1e-3-s{number}" for number in range(trials)]
    configs = [{"name": name, "trial": name, "arm": "strict"} for name in names]
    train = partial(stand_in, conditions={"folder": str(folder), "seconds": seconds})
    run_trials(PlannedSearch(configs, list), resources, train, show)
    return names


def test_shares_of_a_gpu_arrive_as_resources_of_trials(cluster, tmp_path):
    most = 0

    def show(news):
        nonlocal most
        most = max(most, news.running)

    run(tmp_path, 4, Resources(cpus=0.5, gpus=0.5), show, seconds=5.0)
    seen = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
    assert [(has["CPU"], has["GPU"]) for has, _ in seen] == [(0.5, 0.5)] * 4
    assert sorted(ids["GPU"][0] for _, ids in seen) == ["0", "0", "1", "1"]
    assert most == 4


@pytest.mark.parametrize(("concurrent", "late"), [(1, 0), (2, 1)])
def test_trials_start_in_the_order_of_the_plan(cluster, tmp_path, concurrent, late):
    names = run(tmp_path, 12, Resources(concurrent=None, cpus=2 / concurrent), seconds=0.3)
    started = sorted(names, key=lambda name: Path(tmp_path, name).stat().st_mtime_ns)
    places = [started.index(name) - at for at, name in enumerate(names)]
    assert max(map(abs, places)) <= late


class DeadlyOnce:
    """Kills the first process that it is sent to."""

    def __init__(self, mark):
        self.mark = mark

    def __deepcopy__(self, memo):
        return self  # Tune copies configs in the driver

    def __reduce__(self):
        return die_once, (self.mark,)


def die_once(mark):
    if Path(mark).exists():
        return mark
    Path(mark).touch()
    os._exit(1)


def test_a_worker_lost_between_two_trials_costs_none(cluster, tmp_path, capfd):
    """The worker dies as it receives the next trial; Tune itself gives up on that one."""
    ended, lost, mark, folder = [], [], tmp_path / "mark", tmp_path / "trials"
    folder.mkdir()

    def show(news):
        ended.extend(trial.id for trial in news.ended)
        lost.extend(news.lost)

    configs = [{"name": f"s{number}", "trial": f"s{number}", "arm": "strict"} for number in range(6)]
    configs[3]["deadly"] = DeadlyOnce(str(mark))
    train = partial(pretend, conditions={"folder": str(folder), "seconds": 0.1})
    run_trials(PlannedSearch(configs, list), Resources(concurrent=1), train, show)
    assert mark.exists()
    assert len(lost) == 1
    assert sorted(ended) == sorted(path.name for path in folder.iterdir()) == [f"s{n}" for n in range(6)]
    assert "did not complete" not in capfd.readouterr().err


def test_the_driver_keeps_little_of_trials_that_ended(cluster, tmp_path):
    ended, memory = [], []

    def show(news):
        ended.extend(news.ended)
        memory.append((len(ended), psutil.Process(os.getpid()).memory_info().rss))

    names = run(tmp_path, 600, Resources(), show)
    assert sorted(trial.id for trial in ended) == sorted(names)
    settled = [bytes for done, bytes in memory if done >= 100]
    assert (settled[-1] - settled[0]) / 500 < 0.1 * 2**20


def test_a_results_folder_out_of_reach_ends_the_run(cluster, tmp_path):
    with pytest.raises(Unavailable, match="s3://somewhere: no route"):
        run(tmp_path, 4, Resources(), stand_in=out_of_reach)


def test_a_worker_that_cannot_import_ends_the_run(cluster, tmp_path):
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])  # workers look for this file, in vain
    words = r"worker cannot import what trials need \(.*No module named 'test_engine'.*\); install it on every node"
    with pytest.raises(BadInput, match=words):
        run(tmp_path, 4, Resources())


def test_workers_that_are_always_lost_end_the_run(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "FRUITLESS", 3)
    words = "4 workers in a row were lost before any trial made progress .*; give workers more memory or time"
    with pytest.raises(ConnectionError, match=words):
        run(tmp_path, 4, Resources(concurrent=1), stand_in=killed)
