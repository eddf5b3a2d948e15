"""The strict model of a trial, with the initial weights of its seed."""

import torch
from torch import nn

from trainables import registry
from trainables.spec import TrialSpec
from trainables.streams import stream_seed
from trainables.tasks.task import Task


def build_model(spec: TrialSpec, task: Task, dtype: torch.dtype) -> nn.Module:
    """Build under `dtype`, so that constants (Clebsch-Gordan coefficients) are exact to it."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    torch.manual_seed(stream_seed(spec.seed, "model"))
    try:
        return registry.build("model", spec.model, task.signature)
    finally:
        torch.set_default_dtype(default)
