"""A user's own models that each misbehave in one way; studies under test name them `faulty_models:Name`."""

import os
import time
from typing import Literal

import torch
from torch import Tensor

import trainables.worker.attempt
from trainables.graph import Graph, Signature
from trainables.models.egnn import EGNN

# When one of these models trains, every epoch writes a checkpoint: interruptions mostly fall between epochs.
trainables.worker.attempt.CHECKPOINT_SECONDS = 0.0


class Patient(EGNN):
    """Takes its time over each batch without using the processor."""

    def forward(self, graph: Graph) -> Tensor:
        time.sleep(float(os.environ.get("BATCH_SECONDS", "0")))
        return super().forward(graph)


class Hanging(EGNN):
    """Never answers."""

    def forward(self, graph: Graph) -> Tensor:
        time.sleep(10_000)
        return super().forward(graph)


class Leaking(EGNN):
    """Keeps another 100 MB with each batch."""

    def forward(self, graph: Graph) -> Tensor:
        self.kept = [*getattr(self, "kept", []), torch.ones(25_000_000)]
        time.sleep(0.2)
        return super().forward(graph)


class Forking(EGNN):
    """Leaves a child process behind with each batch."""

    def forward(self, graph: Graph) -> Tensor:
        if os.fork() == 0:
            time.sleep(10_000)
        return super().forward(graph)


class Talking(EGNN):
    """Prints ten megabytes with each batch."""

    def forward(self, graph: Graph) -> Tensor:
        print("x" * 10_000_000)
        return super().forward(graph)


class NotANumber(EGNN):
    """Answers with NaN or, during training, with numbers whose gradient is NaN."""

    def __init__(self, signature: Signature, *, where: Literal["loss", "gradient"], hidden: int = 8) -> None:
        super().__init__(signature, hidden=hidden, layers=1)
        self.where = where

    def forward(self, graph: Graph) -> Tensor:
        answer = super().forward(graph)
        if self.where == "loss":
            return answer * float("nan")
        return answer + (0 * answer).sqrt() if self.training else answer
