"""All that this project uses of Ray beyond its public interface, each with its reason.

`tests/study/execution/test_private.py` fails if a new version of Ray has moved any of it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import requires, version
from typing import Any

from packaging.requirements import Requirement
from ray._private import ray_constants, worker
from ray._private.state import state
from ray.job_config import JobConfig
from ray.tune.execution import class_cache

from trainables.errors import BadInput

PROJECT = "equivariance-study"


def check_version() -> None:
    """Raise BadInput if this project was not tested with the installed Ray."""
    for line in requires(PROJECT) or []:
        wanted = Requirement(line)
        if wanted.name == "ray" and not wanted.specifier.contains(version("ray")):
            raise BadInput(
                f"ray {version('ray')} is not supported; pip install 'ray[tune]{wanted.specifier}'"
            )


def keep_keys_here() -> None:
    """Keep the driver's AWS keys from Tune, which sends them along with trials; Ray logs them on every node."""
    class_cache.ENV_VARS_TO_PROPAGATE = {
        name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")
    }


def silence_lost_workers() -> None:
    """Keep Ray from printing dozens of lines for each lost worker; a run prints one."""
    worker._worker_logs_enabled = False


@contextmanager
def loopback_only() -> Iterator[None]:
    """Let Ray listen on 127.0.0.1 only; by default it opens its ports, which run code, to the whole network."""
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def searching(folders: list[str]) -> JobConfig:
    """A job whose workers search for modules in `folders` and among the installed packages.

    Ray would put the current folder first, where a folder or a file called `study` would hide this project's.
    """
    config = JobConfig()
    config._py_driver_sys_path = _FixedList(folders)
    return config


class _FixedList(list[str]):
    """A list that Ray cannot extend."""

    def extend(self, more: Iterable[str]) -> None:
        """Leave the list as it is."""


def addable_nodes() -> list[dict[str, float]]:
    """The resources of each kind of node that the autoscaler may add; none without an autoscaler."""
    cluster: Any = state.get_cluster_config()
    if cluster is None:
        return []
    return [dict(group.resources) for group in cluster.node_group_configs if group.max_count != 0]
