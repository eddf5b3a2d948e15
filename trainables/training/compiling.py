"""Whether a trial's network is compiled, and the compilation."""

import os

import torch
from torch import nn

from trainables.errors import BadInput
from trainables.spec import Training
from trainables.tasks.task import Task

AUTO_STEPS = 5000
"""The length from which `compile: auto` compiles.

A trial first pays for tracing and for generated code, on a CPU 10 to 35 s where the node has that code already and
90 to 210 s where it does not (EGNN strict to SEGNN relaxed, n-body). A compiled step saves 8 to 40 ms.
"""


def check_compilable(training: Training, task: Task) -> None:
    """Raise BadInput where the config asks for a compilation that cannot work."""
    if training.compile is True and task.differentiates_model:
        raise BadInput(
            "training.compile: this task differentiates the network, so that its loss differentiates it twice, which "
            "torch.compile cannot do; set it to auto or false"
        )


def is_compiled(training: Training, task: Task, num_steps: int) -> bool:
    """Whether a trial of `num_steps` steps compiles its network; the same on every machine."""
    if training.compile == "auto":
        return num_steps >= AUTO_STEPS and not task.differentiates_model
    return training.compile


def compile_network(model: nn.Module, backend: str = "inductor") -> None:
    """Compile the forward and backward pass of a network in place, at its first call."""
    # A pool of compiling processes for each worker of a node takes more time and memory than it saves.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    # A worker trains one model after another. What was compiled for earlier ones counts against Dynamo's limit,
    # beyond which it silently runs the next model uncompiled.
    torch.compiler.reset()
    model.compile(backend=backend)
