"""The internals of Ray that this project uses still exist, and do what they are used for."""

import importlib
from types import SimpleNamespace

import pytest
from ray._private import ray_constants, services, state, worker
from ray.job_config import JobConfig
from ray.tune.execution import class_cache

from study.execution import private
from trainables.errors import BadInput


def test_keys_of_the_driver_are_removed_from_the_list_that_ray_sends(monkeypatch):
    fresh = importlib.reload(class_cache).ENV_VARS_TO_PROPAGATE
    assert "AWS_SECRET_ACCESS_KEY" in fresh
    monkeypatch.setattr(private.class_cache, "ENV_VARS_TO_PROPAGATE", fresh)
    private.keep_keys_here()
    kept = private.class_cache.ENV_VARS_TO_PROPAGATE
    assert kept
    assert not [name for name in kept if name.startswith("AWS_")]


def test_lines_about_lost_workers_are_not_printed(monkeypatch, capsys):
    message = {"lines": ["a worker died"], "pid": "raylet", "is_err": False}
    monkeypatch.setattr(worker, "_worker_logs_enabled", True)
    worker.print_to_stdstream(message, ignore_prefix=False)
    assert "a worker died" in capsys.readouterr().out
    private.silence_lost_workers()
    worker.print_to_stdstream(message, ignore_prefix=False)
    assert capsys.readouterr().out == ""


def test_ray_uses_the_loopback_interface_on_request():
    before = ray_constants.ENABLE_RAY_CLUSTER
    with private.loopback_only():
        assert services.get_node_ip_address() == "127.0.0.1"
    assert before == ray_constants.ENABLE_RAY_CLUSTER


def test_workers_search_only_the_folders_named():
    config = private.searching(["/here"])
    config._py_driver_sys_path.extend(["/elsewhere"])
    assert list(config._get_proto_job_config().py_driver_sys_path) == ["/here"]
    assert hasattr(JobConfig(), "_py_driver_sys_path")


def test_nodes_that_an_autoscaler_may_add(monkeypatch):
    monkeypatch.setattr(private.state, "get_cluster_config", lambda: None)
    assert private.addable_nodes() == []
    groups = [
        SimpleNamespace(resources={"GPU": 4.0}, max_count=2),
        SimpleNamespace(resources={}, max_count=0),
    ]
    monkeypatch.setattr(
        private.state, "get_cluster_config", lambda: SimpleNamespace(node_group_configs=groups)
    )
    assert private.addable_nodes() == [{"GPU": 4.0}]
    assert callable(state.state.get_cluster_config)


@pytest.mark.parametrize("found", ["2.51.0", "2.61.0", "3.0.0"])
def test_a_version_out_of_range_is_refused_in_one_line(monkeypatch, found):
    monkeypatch.setattr(private, "requires", lambda project: ["torch>=2.9", "ray[tune]>=2.52,<2.61"])
    monkeypatch.setattr(private, "version", lambda package: found)
    with pytest.raises(
        BadInput, match=rf"ray {found} is not supported; pip install 'ray\[tune\]<2.61,>=2.52'"
    ):
        private.check_version()


def test_the_installed_version_is_in_range():
    private.check_version()
