"""CPU seconds to reach a validation error: our network against the plain one, on n-body, in alternating epochs.

    python tests/benchmarks/time_to_accuracy.py segnn --target 0.02

Both are the same function with the same number of parameters, but start from different random weights, of
different sizes: the ratio depends on that start too, and needs more than one seed; each line is one seed.
Validation after each epoch, on 500 samples, counts for both. With --compile ours is compiled, which counts too,
including the compiler's own processes.
"""

import argparse
from pathlib import Path

import torch
from plain_networks import PlainEGNN, PlainSEGNN
from timing import cpu_seconds
from torch import nn

from trainables import registry
from trainables.models.egnn import EGNN
from trainables.models.segnn import SEGNN
from trainables.tasks.task import Task, select, size
from trainables.training.compiling import compile_network
from trainables.training.evaluation import evaluate

NETWORKS = {"egnn": (PlainEGNN, EGNN), "segnn": (PlainSEGNN, SEGNN)}
BATCH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--target", type=float, default=0.0068, help="mean squared error on validation")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="compile ours")
    parser.add_argument(
        "--max-seconds", type=float, default=600.0, help="CPU seconds after which one gives up"
    )
    parser.add_argument("--data", type=Path, default=Path.home() / ".cache" / "equivariance-study")
    options = parser.parse_args()
    torch.set_num_threads(1)
    description = registry.resolve("task", {"name": "nbody", "train": 3000, "val": 500, "test": 1})
    task = registry.build("task", description, options.data)
    plain, ours = NETWORKS[options.network]
    print(
        f"{options.network}, n-body, 3,000 samples, Adam at {options.lr:g}, to {options.target:g}; CPU, one thread"
    )
    for seed in range(options.seeds):
        torch.manual_seed(seed)
        trainings = [
            Training(plain(), task, options.lr, fused=False),
            Training(ours(task.signature), task, options.lr, fused=True),
        ]
        if options.compile:
            compile_network(trainings[1].model)
        while any(training.is_unfinished(options.target, options.max_seconds) for training in trainings):
            for training in trainings:
                if training.is_unfinished(options.target, options.max_seconds):
                    training.epoch()
        print(f"seed {seed}: {report(trainings, options.target)}", flush=True)


class Training:
    """A network in training, with the CPU seconds of its epochs and the last validation error."""

    def __init__(self, model: nn.Module, task: Task, lr: float, fused: bool) -> None:
        self.model, self.task = model, task
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=fused)
        self.seconds: list[float] = []
        self.error = float("inf")

    def is_unfinished(self, target: float, most: float) -> bool:
        """Whether it may still reach the target; a training whose error is NaN ends."""
        return self.error > target and sum(self.seconds) < most

    def epoch(self) -> None:
        """All samples once, then validation; the order of epoch n is the same for every network."""
        started = cpu_seconds()
        train = self.task.splits["train"]
        order = torch.randperm(size(train), generator=torch.Generator().manual_seed(len(self.seconds)))
        for index in order.split(BATCH):
            batch = select(train, index)
            loss = self.task.loss(self.task.predict(self.model, self.task.graph(batch)), batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.error = evaluate(self.model, self.task, self.task.splits["val"])["mse"]
        self.seconds.append(cpu_seconds() - started)


def report(trainings: list[Training], target: float) -> str:
    texts = []
    for name, training in zip(("plain", "ours"), trainings, strict=True):
        reached = "" if training.error <= target else f", ended at {training.error:.4g}, target not reached"
        texts.append(f"{name} {sum(training.seconds):.0f} s in {len(training.seconds)} epochs{reached}")
    plain, ours = (sum(training.seconds) for training in trainings)
    each = [sum(training.seconds) / len(training.seconds) for training in trainings]
    if all(training.error <= target for training in trainings):
        texts.append(f"plain / ours {plain / ours:.1f}")
    return f"{'; '.join(texts)}; of an epoch {each[0] / each[1]:.1f}"


if __name__ == "__main__":
    main()
