"""What would make a run fail or wait for ever, found before its first trial."""

import ray

from study.config import Resources
from trainables.registry import BadInput


def check(resources: Resources) -> None:
    """Raise BadInput where no living node can give a trial its CPUs and GPUs."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for key, wanted, kind in (("cpus", resources.cpus, "CPU"), ("gpus", resources.gpus, "GPU")):
        most = max((node.get(kind, 0.0) for node in nodes), default=0.0)
        if wanted > most:
            raise BadInput(
                f"resources.{key}: a trial asks for {wanted:g}, the largest node has {most:g}; ask for less"
            )
