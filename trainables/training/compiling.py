"""Whether a trial's network is compiled, and the compilation."""

import os

import torch
from torch import nn

from trainables.errors import BadInput
from trainables.spec import Training
from trainables.tasks.task import Task

AUTO_STEPS = 5000
"""The number of steps from which `compile: auto` compiles.

A trial first pays for tracing and code generation: on a CPU, 10 to 35 s if the node already has the code and
90 to 210 s if it does not (EGNN strict to SEGNN relaxed, n-body). A compiled step saves 8 to 40 ms.
"""


def check_compilable(training: Training, task: Task) -> None:
    """Raise BadInput if the config requests a compilation that cannot work."""
    if training.compile is True and task.differentiates_model:
        raise BadInput(
            "training.compile: this task differentiates the network, so training differentiates it twice, which "
            "torch.compile does not support; set it to auto or false"
        )


def is_compiled(training: Training, task: Task, num_steps: int) -> bool:
    """Whether a trial of `num_steps` steps compiles its network; the same on every machine."""
    if training.compile == "auto":
        return num_steps >= AUTO_STEPS and not task.differentiates_model
    return training.compile


def compile_network(model: nn.Module, backend: str = "inductor") -> None:
    """Compile the forward and backward pass of a network in place, at its first call."""
    # A pool of compiler processes for each worker of a node costs more time and memory than it saves.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    # A worker trains one model after another. Code compiled for earlier ones counts against Dynamo's limit,
    # beyond which it silently runs the next model uncompiled.
    torch.compiler.reset()
    model.compile(backend=backend)
