"""The way into a trial, without what it imports: the driver, which names it, does without torch."""

from typing import Any

from trainables.worker.conditions import Conditions


def trainable(config: dict[str, Any], conditions: Conditions) -> dict[str, Any]:
    """Run a trial; see `trainables.worker.trainable`."""
    from trainables.worker.trainable import trainable

    return trainable(config, conditions)
