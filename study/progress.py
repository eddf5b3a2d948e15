"""The progress of a run: a bar and a table of the arms in a terminal, one line a minute elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from study.execution.news import Ended, News
from study.refine.planned import PlannedTrial
from trainables.results.outcomes import Outcome
from trainables.results.record import Record

LINE_SECONDS = 60.0
LIVE_SECONDS = 0.5
MOST_ARMS = 20  # in the live table
BAR_WIDTH = 40


class Progress:
    """Counts trials as they end, by arm.

    Args:
        trials: The plan.
        records: Records of trials that were done before this run.
        console: Where to show the progress.
    """

    def __init__(self, trials: list[PlannedTrial], records: Mapping[str, Record], console: Console) -> None:
        self.console = console
        self.arms: dict[str, str] = {}  # by trial
        self.planned: Counter[str] = Counter()  # by arm, like the following
        self.counts: dict[Outcome, Counter[str]] = {outcome: Counter() for outcome in Outcome}
        self.best: dict[str, float] = {}
        self.stage = ""
        self._plan(trials)
        for record in records.values():
            self._count(Ended(record.id, record.outcome, record.val_metric, record.metric_goal))
        self.done_before, self.running, self.started = self.done, 0, time.monotonic()
        self.last_shown = self.started
        self.live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self.live is not None:
            self.live.stop()

    @property
    def done(self) -> int:
        """The number of trials that have a record."""
        return sum(counter.total() for counter in self.counts.values())

    def extend(self, trials: Iterable[PlannedTrial]) -> None:
        """Add another round to the plan."""
        self._plan(trials)
        self.say(self.line())

    def line(self) -> str:
        """done / running / failed / left, trials per hour and the time left."""
        left = self.planned.total() - self.done
        elapsed = time.monotonic() - self.started
        new = self.done - self.done_before
        pace = (
            f", {new / elapsed * 3600:.0f} trials/h, about {_duration(elapsed / new * left)} left"
            if new
            else ""
        )
        failed, crashed = (self.counts[outcome].total() for outcome in (Outcome.FAILED, Outcome.CRASHED))
        return (
            f"{self.stage}{self.done}/{self.planned.total()} done ({failed} failed"
            f"{f', {crashed} crashed' if crashed else ''}), "
            f"{self.running} running, {max(left - self.running, 0)} waiting{pace}"
        )

    def update(self, news: News) -> None:
        """Count the trials that ended, report lost workers, and show the state if it is due."""
        for reason in dict.fromkeys(news.lost):
            self.say(f"a worker was lost ({reason}); it will be replaced")
        for trial in news.ended:
            self._count(trial)
        self.running = news.running
        now = time.monotonic()
        if self.live is not None and now - self.last_shown > LIVE_SECONDS:
            self.live.update(self.view(), refresh=True)
            self.last_shown = now
        elif self.live is None and now - self.last_shown > LINE_SECONDS:
            self.say(self.line())
            self.last_shown = now

    def view(self) -> RenderableType:
        """The bar, the line, and a row for each arm: done of planned, failed, crashed, best validation metric."""
        table = Table("arm", box=None, padding=(0, 2, 0, 0))
        for name in ("done", "failed", "crashed", "best"):
            table.add_column(name, justify="right", no_wrap=True)
        for arm in list(self.planned)[:MOST_ARMS]:
            done = sum(counter[arm] for counter in self.counts.values())
            failed, crashed = (self.counts[outcome][arm] for outcome in (Outcome.FAILED, Outcome.CRASHED))
            best = f"{self.best[arm]:.3g}" if arm in self.best else "-"
            table.add_row(arm, f"{done}/{self.planned[arm]}", str(failed), str(crashed), best)
        bar = Table.grid()  # alone, a bar does not end its line
        bar.add_row(ProgressBar(total=max(self.planned.total(), 1), completed=self.done, width=BAR_WIDTH))
        return Group(table, bar, self.line())

    def say(self, line: str) -> None:
        """Print a line that remains on the screen."""
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _plan(self, trials: Iterable[PlannedTrial]) -> None:
        for trial in trials:
            self.arms[trial.id] = trial.arm
            self.planned[trial.arm] += 1
            if trial.round > 1:
                self.stage = f"round {trial.round}: "

    def _count(self, trial: Ended) -> None:
        arm = self.arms[trial.id]
        self.counts[Outcome(trial.outcome)][arm] += 1
        if trial.val_metric is not None and trial.outcome == Outcome.LEARNED:
            better = max if trial.metric_goal == "max" else min
            self.best[arm] = better(self.best.get(arm, trial.val_metric), trial.val_metric)


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
    """The console on which a run shows its progress."""
    return Console(file=sys.stdout)
