"""How the time and the memory of a strict training step grow with graphs, bodies and points.

    python tests/benchmarks/growth.py            all rows, each in its own process
    python tests/benchmarks/growth.py egnn       those of the named networks

Time is CPU time on one thread, the median of 7 steps after 2 warm-up steps, with large tensors kept as in a
worker; on bodies it includes building the graph. Memory is the peak of the process during the steps, minus its
memory before the network was built.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import timing
import torch
from torch.nn import functional as F

from trainables.graph import Graph, Signature
from trainables.models.egnn import EGNN
from trainables.models.segnn import SEGNN
from trainables.models.vn_dgcnn import VNDGCNN
from trainables.models.vn_pointnet import VNPointNet
from trainables.tasks.nbody import NBody
from trainables.worker.memory import large_tensors_kept

NETWORKS = {"egnn": EGNN, "segnn": SEGNN, "vn_pointnet": VNPointNet, "vn_dgcnn": VNDGCNN}
HEADER = "network      graphs  nodes    edges       ms  us/edge     MiB KiB/edge"
BODIES = [(graphs, 5, None) for graphs in (25, 100, 400)]
BODIES += [(20, bodies, None) for bodies in (10, 20, 50, 100)]
BODIES += [(4, bodies, 16) for bodies in (20, 100, 300, 1000)]
POINTS = [(clouds, 300, 20) for clouds in (2, 4, 8)] + [(2, points, 20) for points in (150, 600, 1200)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=f"any of {', '.join(NETWORKS)}; all by default")
    names = parser.parse_args().networks or list(NETWORKS)
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"unknown: {', '.join(unknown)}")
    print(HEADER)
    processes = multiprocessing.get_context("fork")
    for name in names:
        for graphs, nodes, neighbors in BODIES if name in ("egnn", "segnn") else POINTS:
            edges = graphs * nodes * (nodes - 1 if neighbors is None else neighbors)
            with processes.Pool(1) as alone:
                seconds, memory = alone.apply(measured, (name, graphs, nodes, neighbors))
            print(
                f"{name:12s} {graphs:6d} {nodes:6d} {edges:8d} {1e3 * seconds:8.1f} {1e6 * seconds / edges:8.2f} "
                f"{memory / 2**20:7.0f} {memory / 2**10 / edges:8.2f}",
                flush=True,
            )


def measured(name: str, graphs: int, nodes: int, neighbors: int | None) -> tuple[float, int]:
    """CPU seconds of a step, and the bytes that it takes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    before = held("VmRSS")
    step = (
        step_on_clouds(name, graphs, nodes)
        if name.startswith("vn_")
        else step_on_bodies(name, graphs, nodes, neighbors)
    )
    with large_tensors_kept():
        for _ in range(2):
            step()
        seconds = []
        for _ in range(7):
            started = time.process_time()
            step()
            seconds.append(time.process_time() - started)
        return statistics.median(seconds), held("VmHWM") - before


def step_on_bodies(name: str, graphs: int, bodies: int, neighbors: int | None) -> Callable[[], object]:
    size = (graphs, bodies, 3)
    split = {key: torch.randn(size) for key in ("positions", "velocities", "targets")}
    split["charges"] = torch.randn(size[:2]).sign()
    task = NBody({"train": split, "val": split}, neighbors)
    model = NETWORKS[name](task.signature)
    return timing.training_step(model, lambda model: task.loss(task.predict(model, task.graph(split)), split))


def step_on_clouds(name: str, clouds: int, points: int) -> Callable[[], object]:
    signature = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=40)
    rows, none = clouds * points, torch.zeros(0, 0)
    graph = Graph(torch.randn(rows, 3), torch.zeros(rows, 0), torch.zeros(rows, 0, 3), none, None, clouds)
    labels = torch.arange(clouds)
    model = NETWORKS[name](signature)
    return timing.training_step(model, lambda model: F.cross_entropy(model(graph), labels))


def held(entry: str) -> int:
    """Bytes of memory, now (VmRSS) or at the peak so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(entry))


if __name__ == "__main__":
    main()
