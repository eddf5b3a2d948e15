"""What a run shows of itself: a live line in a terminal, one line a minute elsewhere."""

import io
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
from ray.tune import Callback
from rich.console import Console
from rich.live import Live

from study.loggers import Logger
from trainables.record import history_path, read_records
from trainables.registry import BadInput
from trainables.store import Store

MINUTE = 60.0


class Progress(Callback):
    """Counts trials as Tune starts and ends them.

    planned: trials of the plan; done: how many of them had a record before this run; failed: among those
    """

    def __init__(self, planned: int, done: int, failed: int, console: Console) -> None:
        self.planned, self.done, self.failed, self.crashed, self.console = planned, done, failed, 0, console
        self.done_before, self.running, self.started = done, 0, time.monotonic()
        self.last_line = self.started
        self.last_error = ""
        self.live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        # Tune pickles its callbacks to restore a sweep from them, which never happens here.
        return Callback, ()

    def __enter__(self) -> "Progress":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self.live is not None:
            self.live.stop()

    def line(self) -> str:
        """done / running / failed / left, trials per hour and the time left."""
        left = self.planned - self.done
        elapsed = time.monotonic() - self.started
        new = self.done - self.done_before
        pace = (
            f", {new / elapsed * 3600:.0f} trials/h, about {_duration(elapsed / new * left)} left"
            if new
            else ""
        )
        crashed = f", {self.crashed} crashed" if self.crashed else ""
        return (
            f"{self.done}/{self.planned} done ({self.failed} failed{crashed}), "
            f"{self.running} running, {max(left - self.running, 0)} waiting{pace}"
        )

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self.live is not None and now - self.last_line > 0.5:
            self.live.update(self.line(), refresh=True)
            self.last_line = now
        elif self.live is None and now - self.last_line > MINUTE:
            self.console.print(self.line(), highlight=False, soft_wrap=True)
            self.last_line = now

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.running += 1

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.running -= 1
        self.done += 1
        outcome = trial.last_result.get("outcome")
        self.failed += outcome == "failed"
        self.crashed += outcome == "crashed"

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.running -= 1
        self.last_error = _last_error(trial)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.running -= 1
        error = _last_error(trial)
        # Errors of a trial's own are in its record: this one came before it, and would come again and again.
        if "ImportError" in error or "ModuleNotFoundError" in error:
            raise BadInput(f"a worker cannot import what trials need ({error}); install it on every node")


class Logging(Callback):
    """Hands each trial that ends to the loggers; what goes wrong there is said and does not stop the run."""

    def __init__(self, store: Store, loggers: list[Logger]) -> None:
        self.store, self.loggers = store, loggers

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        # Tune pickles its callbacks to restore a sweep from them, which never happens here.
        return Callback, ()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        trial_id = trial.config["id"]
        records, _ = read_records(self.store, [trial_id])
        history = io.BytesIO(self.store.read(history_path(trial_id)))
        rows = pyarrow.parquet.read_table(history).to_pylist()
        for log in self.loggers:
            try:
                log(records[trial_id], rows)
            except Exception as error:  # a tracking server has many ways to be away
                print(f"logger: {trial_id}: {type(error).__name__}: {error}")


def _last_error(trial: Any) -> str:
    """The last line of what Tune wrote about the last failure of a trial."""
    lines = Path(trial.error_file).read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else "< 1 min"
    )


def console() -> Console:
    """Where a run shows its progress."""
    return Console(file=sys.stdout)
