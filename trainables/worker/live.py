"""Rows of a trial's history, reported while the trial is still training."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Row = dict[str, float]
Report = Callable[[Row], None]


class Throttled:
    """Reports a row once the last one is `every` seconds old; short trials report none.

    Args:
        report: Called with a row; may wait for its reader.
        every: Seconds between two rows.
    """

    def __init__(self, report: Report, every: float) -> None:
        self.report, self.every = report, every
        self.row: Row = {}
        self.last = time.monotonic()

    def __call__(self, row: Row) -> None:
        """Remember the row, and report it if `every` seconds have passed."""
        self.row = row
        if time.monotonic() - self.last >= self.every:
            self.report(row)
            self.last = time.monotonic()


@dataclass(frozen=True)
class RowFile:
    """The newest row of a trial with several processes, passed from the first to the waiting worker."""

    path: Path

    def __call__(self, row: Row) -> None:
        """Replace the last row with this one."""
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(json.dumps(row))
        os.replace(new, self.path)

    def pass_on(self, report: Report) -> None:
        """Report the row if there is a new one."""
        try:
            row = json.loads(self.path.read_text())
            self.path.unlink()
        except FileNotFoundError:
            return
        report(row)
