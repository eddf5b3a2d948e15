"""Which trials of a results folder are running, and where."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from study.lock import holder
from trainables.results.record import attempts_path
from trainables.results.store import Store, read_all


@dataclass(frozen=True)
class Running:
    """A running trial.

    Attributes:
        worker: Host and process id, host:pid.
        seconds: Seconds since this attempt began, by the clock of the worker's node.
    """

    trial: str
    arm: str
    lr: float
    seed: int
    worker: str
    seconds: float

    def line(self) -> str:
        """The trial as one line of text."""
        since = f"{self.seconds / 60:.0f} min" if self.seconds >= 60 else f"{self.seconds:.0f} s"
        return f"{self.arm}, lr {self.lr:g}, seed {self.seed} ({self.trial[:8]}) on {self.worker} for {since}"


def running(store: Store, entries: list[dict[str, Any]], done: Iterable[str]) -> list[Running]:
    """The trials that the current run of the folder has started but not finished; none if no run holds it.

    Args:
        entries: The plan.
        done: Ids of trials with a record.
    """
    lock = holder(store)
    if lock is None:
        return []
    begun = set(store.names("trials")) - set(done)
    planned = {entry["id"]: entry for entry in entries if entry["id"] in begun}
    contents = read_all(store, [attempts_path(name) for name in planned])
    found = []
    for name, entry in planned.items():
        attempt = _last_attempt(contents.get(attempts_path(name)))
        if attempt.get("run") == lock.run and "worker" in attempt:
            spec, seconds = entry["spec"], max(0.0, time.time() - attempt["started"])
            lr, seed = spec["training"]["lr"], spec["seed"]
            found.append(Running(name, entry["arm"], lr, seed, attempt["worker"], seconds))
    return found


def as_json(trials: list[Running]) -> list[dict[str, Any]]:
    """The trials as data."""
    return [asdict(trial) for trial in trials]


def _last_attempt(content: Any) -> dict[str, Any]:
    try:
        return dict(json.loads(content)[-1])
    except (ValueError, TypeError, LookupError):
        return {}
