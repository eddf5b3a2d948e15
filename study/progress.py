"""What a run shows of itself: a live line in a terminal, one line a minute elsewhere."""

import sys
import time

from rich.console import Console
from rich.live import Live

from study.execution.queue import News
from trainables.results.outcomes import Outcome

MINUTE = 60.0


class Progress:
    """Counts trials as they end.

    planned: trials of the plan; done: how many of them had a record before this run; failed: among those
    stage: what the line begins with
    """

    def __init__(self, planned: int, done: int, failed: int, console: Console, stage: str = "") -> None:
        self.stage = stage
        self.planned, self.done, self.failed, self.crashed, self.console = planned, done, failed, 0, console
        self.done_before, self.running, self.started = done, 0, time.monotonic()
        self.last_line = self.started
        self.live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

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
            f"{self.stage}{self.done}/{self.planned} done ({self.failed} failed{crashed}), "
            f"{self.running} running, {max(left - self.running, 0)} waiting{pace}"
        )

    def update(self, news: News) -> None:
        """Count what ended, say what was lost, and show the line when it is time."""
        for reason in dict.fromkeys(news.lost):
            self._print(f"a worker was lost ({reason}); another takes its place")
        outcomes = [trial.outcome for trial in news.ended]
        self.done += len(outcomes)
        self.failed += outcomes.count(Outcome.FAILED)
        self.crashed += outcomes.count(Outcome.CRASHED)
        self.running = news.running
        now = time.monotonic()
        if self.live is not None and now - self.last_line > 0.5:
            self.live.update(self.line(), refresh=True)
            self.last_line = now
        elif self.live is None and now - self.last_line > MINUTE:
            self._print(self.line())
            self.last_line = now

    def say(self, line: str) -> None:
        """A line that stays."""
        self._print(line)

    def _print(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)


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
