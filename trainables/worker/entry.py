"""The entry point of a trial, importable without torch, which the driver therefore need not load."""

from typing import Any

from trainables.worker.conditions import Conditions


def trainable(config: dict[str, Any], conditions: Conditions) -> dict[str, Any]:
    """Run a trial; see `trainables.worker.trainable`."""
    from trainables.worker.trainable import trainable

    return trainable(config, conditions)
