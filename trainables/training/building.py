"""The strict model of a trial, with the initial weights of its seed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from trainables import registry
from trainables.spec import TrialSpec
from trainables.tasks.task import Task
from trainables.training.streams import stream_seed


def build_model(spec: TrialSpec, task: Task, dtype: torch.dtype) -> nn.Module:
    """The model of a spec in `dtype`."""
    torch.manual_seed(stream_seed(spec.init_seed, "model"))
    with default_dtype(dtype):
        return registry.build("model", spec.model, task.signature)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Build models in `dtype` while the block runs.

    Constants such as Clebsch-Gordan coefficients then have its precision; `.double()` would keep float32's.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
