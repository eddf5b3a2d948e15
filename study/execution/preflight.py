"""Checks before the first trial for anything that would make a run fail or wait forever."""

import uuid
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.config import Resources
from study.execution.private import addable_nodes
from study.execution.probe import Question, complaints, versions_here
from trainables.errors import BadInput
from trainables.results.store import Store

ANSWER_SECONDS = 60.0


def check(resources: Resources, store: Store, data_folder: str, tasks: list[dict[str, Any]]) -> None:
    """Raise BadInput, with the node, the key and the remedy, if the cluster cannot run the trials.

    Args:
        tasks: Resolved descriptions of the tasks of the trials that will run.
    """
    check_resources(resources)
    token = f".probe-{uuid.uuid4().hex}"
    store.write(token, token.encode())
    try:
        check_nodes(Question(store.uri, token, data_folder, tasks, versions_here(), resources.gpus))
    finally:
        store.delete(token)


def check_resources(resources: Resources) -> None:
    """Raise BadInput if no living node, and no node that the autoscaler may add, can hold a trial."""
    fits = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fits += addable_nodes()
    wanted = {"CPU": resources.cpus, "GPU": resources.gpus}
    if any(all(node.get(kind, 0.0) >= amount for kind, amount in wanted.items()) for node in fits):
        return
    for key, kind in (("cpus", "CPU"), ("gpus", "GPU")):
        most = max((node.get(kind, 0.0) for node in fits), default=0.0)
        if wanted[kind] > most:
            raise BadInput(
                f"resources.{key}: a trial requests {wanted[kind]:g}, the largest node has {most:g}; request less"
            )
    raise BadInput(
        f"resources: no node has both {resources.cpus:g} CPUs and {resources.gpus:g} GPUs; request less"
    )


def check_nodes(question: Question) -> None:
    """Query all living nodes at once; raise BadInput with the first complaint."""
    nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    ask = ray.remote(num_cpus=0, max_retries=2)(complaints)
    answers = {}
    for name, node in nodes.items():
        there = ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(name, soft=False))
        answers[name] = there.remote(question if "GPU" in node["Resources"] else replace(question, gpus=0.0))
    ray.wait(list(answers.values()), num_returns=len(answers), timeout=ANSWER_SECONDS)
    for name, answer in answers.items():
        for complaint in _received(answer):
            raise BadInput(f"node {nodes[name]['NodeManagerAddress']} ({name[:8]}): {complaint}")


def _received(answer: "ray.ObjectRef[list[str]]") -> list[str]:
    try:
        return ray.get(answer, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return [f"no answer in {ANSWER_SECONDS:.0f} s; check the node's log, or remove the node"]
    except (ray.exceptions.NodeDiedError, ray.exceptions.TaskUnschedulableError):
        return []  # it has left meanwhile: no trial will run on it
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        return [f"this project cannot be imported on this node ({reason}); install it as on the driver"]
