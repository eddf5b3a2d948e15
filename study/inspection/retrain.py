"""Train a trial once more in this process, and save the network that it delivers."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables import registry
from trainables.errors import BadInput, raised_at
from trainables.results.record import Record
from trainables.results.store import LocalStore
from trainables.spec import TrialSpec
from trainables.training.evaluation import Errors
from trainables.training.loop import run_trial
from trainables.training.run import State


@dataclass(frozen=True)
class Retrained:
    """A trial trained once more.

    Attributes:
        record: The record of this training.
        rows: Its history, one row per epoch.
        errors: On each test sample, (samples,) by name.
        network: state_dict of the delivered network, on the CPU; empty if training stopped before there was one.
    """

    record: Record
    rows: list[dict[str, float]]
    errors: dict[str, np.ndarray]
    network: dict[str, Tensor]


def retrain(spec: TrialSpec, data_folder: Path, device: torch.device, threads: int) -> Retrained:
    """Train a trial as a worker does, but without checkpoints; on a terminal, a line counts its epochs.

    Raises:
        BadInput: If it cannot be trained here; the message says why.
    """
    state: State = {}
    errors: Errors = {}

    def after_epoch(now: Callable[[], State]) -> None:
        state.update(now())
        _count(f"epoch {len(state['progress']['rows'])} of {spec.training.epochs}")

    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        task = registry.build("task", spec.task, data_folder)
        task.to(device)
        record, rows = run_trial(spec, task, device, save=after_epoch, keep=errors.update)
    except BadInput:
        raise
    except Exception as error:  # the spec was read from a file and the model may be the user's
        raise BadInput(f"TRIAL: {spec.id} cannot be trained here: {raised_at(error)}") from error
    finally:
        torch.set_num_threads(threads_before)
        _count("")
    best: dict[str, Any] = state["progress"]["best"] if state else {}
    network = {name: value.cpu() for name, value in best.get("state", {}).items()}
    return Retrained(record, rows, {name: values.numpy() for name, values in errors.items()}, network)


def _count(text: str) -> None:
    """Show a text instead of the previous one, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def refuse_unwritable(file: Path) -> None:
    """Check before training that its network can be saved.

    Raises:
        BadInput: If not.
    """
    existed = file.exists()
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        raise BadInput(f"--weights: {file} cannot be written ({error.strerror})") from error
    if not existed:
        os.unlink(file)


def save_network(network: dict[str, Tensor], file: Path) -> None:
    """Save a state_dict atomically; `torch.load(file, weights_only=True)` reads it back."""
    buffer = io.BytesIO()
    torch.save(network, buffer)
    try:
        LocalStore(file.parent).write(file.name, buffer.getvalue())
    except OSError as error:
        raise BadInput(f"--weights: {file} cannot be written ({error.strerror})") from error
