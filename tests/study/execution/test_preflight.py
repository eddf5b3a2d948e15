"""Causes of failure or endless waiting are found before a run's first trial, with node, key and remedy."""

import os
import signal
import time
from dataclasses import replace

import pytest
import ray
import torch
from ray.cluster_utils import Cluster

from study.config import Resources
from study.execution import preflight, probe
from study.execution.preflight import check, check_resources
from trainables import registry
from trainables.errors import BadInput
from trainables.results.store import open_store

NBODY = registry.resolve("task", {"name": "nbody", "train": 10, "val": 10, "test": 10})
FORCES = registry.resolve("task", {"name": "forces"})
CLOUDS = registry.resolve("task", {"name": "pointclouds", "source": "modelnet40_hdf5"})


@pytest.fixture
def question(tmp_path):
    store = open_store(tmp_path / "results")
    store.write(".probe", b".probe")
    data = str(tmp_path / "data")
    return probe.Question(store.uri, ".probe", data, [NBODY], probe.versions_here())


def test_a_sound_node_has_no_complaint_and_keeps_no_file(question, tmp_path):
    assert probe.complaints(question) == []
    assert [path.name for path in (tmp_path / "results").iterdir()] == [".probe"]
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("name", ["python", "torch", "ray", "this project"])
def test_another_version_is_named(question, name):
    (complaint,) = probe.complaints(replace(question, versions={**question.versions, name: "0.0"}))
    assert complaint.startswith(f"{name} is {question.versions[name]}, the driver has 0.0")


@pytest.mark.skipif(torch.version.cuda is not None, reason="torch can use GPUs here")
def test_a_torch_that_cannot_use_the_gpus_is_named(question):
    (complaint,) = probe.complaints(replace(question, gpus=0.5))
    assert complaint.startswith("resources.gpus")
    assert "built without CUDA" in complaint


def test_a_folder_of_the_same_name_that_is_not_the_drivers(question, tmp_path):
    (complaint,) = probe.complaints(replace(question, results=str(tmp_path / "elsewhere")))
    assert "is a different folder on this node; use s3://" in complaint


def test_a_results_folder_that_cannot_be_written(question, monkeypatch):
    monkeypatch.setattr("trainables.results.store.LocalStore.write", _refuse)
    (complaint,) = probe.complaints(question)
    assert complaint.startswith("--results")
    assert "Read-only file system" in complaint


@pytest.mark.parametrize(("task", "word"), [(FORCES, "botnet/ethanol_train.xyz"), (CLOUDS, "modelnet40_ply")])
def test_a_missing_data_set_is_named(question, task, word):
    (complaint,) = probe.complaints(replace(question, tasks=[NBODY, task]))
    assert complaint.startswith("--data-dir")
    assert word in complaint


def test_a_data_folder_that_cannot_be_made(question, tmp_path):
    (tmp_path / "file").write_text("")
    (complaint,) = probe.complaints(replace(question, data_folder=str(tmp_path / "file" / "data")))
    assert complaint.startswith("--data-dir")


def test_a_full_disk_is_named(question, monkeypatch):
    monkeypatch.setattr(probe, "FREE_GB", 1e9)
    found = probe.complaints(question)
    assert [complaint.split(":")[0] for complaint in found] == ["--results", "--data-dir"]


def _refuse(*unused):
    raise OSError(30, "Read-only file system")


@pytest.fixture(scope="module")
def cluster():
    """A head with one CPU and a node with two."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"cpus": 64}, "resources.cpus: a trial requests 64, the largest node has 2"),
        ({"gpus": 0.5}, "resources.gpus: a trial requests 0.5, the largest node has 0"),
    ],
)
def test_resources_that_no_node_has(cluster, wanted, words):
    with pytest.raises(BadInput, match=words):
        check_resources(Resources(**wanted))


def test_every_node_is_checked(cluster, tmp_path):
    store, data = open_store(tmp_path / "results"), str(tmp_path / "data")
    check(Resources(), store, data, [NBODY])
    started = time.monotonic()
    check(Resources(cpus=2), store, data, [NBODY])
    assert time.monotonic() - started < 5
    assert list((tmp_path / "results").iterdir()) == []
    with pytest.raises(BadInput, match=r"node \S+ \(\w{8}\): --data-dir: .*ethanol_train"):
        check(Resources(), store, data, [FORCES])


def test_a_worker_that_is_lost_before_it_answers_costs_nothing(cluster, tmp_path, monkeypatch):
    lost = tmp_path / "lost"

    def complaints(question):
        if lost.exists():
            return []
        lost.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(preflight, "complaints", complaints)
    check(Resources(), open_store(tmp_path / "results"), str(tmp_path / "data"), [NBODY])
    assert lost.exists()


def test_a_node_that_cannot_import_is_named(cluster, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file')")
    broken = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(tmp_path)})
    try:
        with pytest.raises(
            BadInput, match=f"{broken.node_id[:8]}.*cannot be imported on this node.*libcudart"
        ):
            check(Resources(), open_store(tmp_path / "results"), str(tmp_path / "data"), [NBODY])
    finally:
        cluster.remove_node(broken)
