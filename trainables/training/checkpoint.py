"""The state of an unfinished trial as a file: named, checked, and read without unpickling code."""

import hashlib
import io
import time
from collections.abc import Callable

import torch

from trainables.results.store import Store
from trainables.training.run import State
from trainables.worker.sources import changed


class Saver:
    """Writes a checkpoint once the previous one is `every` seconds old; the `save` of `run_trial`."""

    def __init__(self, store: Store, trial_id: str, every: float, sources: dict[str, str]) -> None:
        self.store, self.trial_id, self.every, self.sources = store, trial_id, every, sources
        self.last = time.monotonic()

    def __call__(self, state: Callable[[], State]) -> None:
        """Write what `state` returns if `every` seconds have passed."""
        if time.monotonic() - self.last >= self.every:
            content = encode_checkpoint(self.trial_id, state(), self.sources)
            self.store.write(checkpoint_path(self.trial_id), content)
            self.last = time.monotonic()


def checkpoint_path(trial_id: str) -> str:
    """Path of an unfinished trial's checkpoint in the results folder."""
    return f"trials/{trial_id}/checkpoint.pt"


def encode_checkpoint(trial_id: str, state: State, sources: dict[str, str]) -> bytes:
    """The state with its trial, sources and checksum, as a file that torch reads with `weights_only`."""
    content, whole = io.BytesIO(), io.BytesIO()
    torch.save(state, content)
    packed = torch.frombuffer(bytearray(content.getvalue()), dtype=torch.uint8)
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    torch.save({"trial": trial_id, "sources": sources, "sha256": digest, "state": packed}, whole)
    return whole.getvalue()


def read_checkpoint(
    store: Store, trial_id: str, device: torch.device, sources: dict[str, str]
) -> State | None:
    """The state of this trial; None if the trial must start over.

    It must if the state is missing, cannot be trusted, or was computed with other data or another version of a
    user's module than the present `sources`.
    """
    try:
        content = store.read(checkpoint_path(trial_id))
    except FileNotFoundError:
        return None
    try:
        whole = torch.load(io.BytesIO(content), weights_only=True)
        packed = whole["state"].numpy().tobytes()
        if (whole["trial"], whole["sha256"]) != (trial_id, hashlib.sha256(packed).hexdigest()):
            return None
        if changed(sources, whole.get("sources", {})):  # older files have none
            return None
        return torch.load(io.BytesIO(packed), map_location=device, weights_only=True)
    except Exception:  # torch documents no exception for damaged files, so any counts as damage
        return None
