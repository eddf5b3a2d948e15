"""A trial's output goes to its log as well as to its usual stream.

A worker may be killed before it can write the log. So a local file, the copy, always contains the same text,
and the log of the next attempt at the trial starts with it.
"""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

from trainables.results.record import log_path
from trainables.results.store import Store

KEPT = 200_000  # characters kept at each end of a log, so that endless output fills neither memory nor disk


class Log:
    """The first and the last `KEPT` characters of the text added to it.

    Args:
        copy: Local file with the same text, from `copy_of`; any text that a killed worker left there comes
            first.
    """

    def __init__(self, copy: Path | None = None) -> None:
        self.beginning, self.end, self.written = "", "", 0
        self.copy, self.copied = copy, 0
        if copy is not None:
            self.add(_taken(copy))

    def add(self, text: str) -> None:
        """Append a piece of text."""
        self.written += len(text)
        room = KEPT - len(self.beginning)
        self.beginning, rest = self.beginning + text[:room], text[room:]
        self.end = (self.end + rest)[-KEPT:]
        if self.copy is not None and text:
            with suppress(OSError):  # a full disk must not end a trial that prints
                self._copy(self.copy, text)

    def text(self) -> str:
        """The kept text, with the number of characters left out between its two parts."""
        left_out = self.written - len(self.beginning) - len(self.end)
        return self.beginning + (f"\n[{left_out:,} characters left out]\n" if left_out else "") + self.end

    def write(self, store: Store, trial_id: str) -> None:
        """Write the log, with those of the trial's other processes, to the results folder, unless it is empty."""
        copies = [] if self.copy is None else _members(self.copy)
        text = self.text() + "".join(f"Process {file.suffix[1:]} printed:\n{_taken(file)}" for file in copies)
        if text:
            store.write(log_path(trial_id), text.encode(errors="backslashreplace"))
        if self.copy is not None:
            _taken(self.copy)

    def _copy(self, file: Path, text: str) -> None:
        mode, self.copied = "a", self.copied + len(text)
        if self.copied > 4 * KEPT:
            mode, text = "w", self.text()
            self.copied = len(text)
        with file.open(mode, encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.write(text)


def copy_of(run: str, trial_id: str) -> Path:
    """The local copy of the log of a running trial."""
    return Path(tempfile.gettempdir(), f"trial-{run or os.getpid()}-{trial_id}.log")


def copy_of_member(copy: Path, rank: int) -> Path:
    """The local copy of the log of one process of a trial that has several."""
    return copy.with_name(f"{copy.name}.{rank}")


@contextmanager
def copies_removed(run: str) -> Iterator[None]:
    """Remove, at the end of the block, the copies that workers of a run have left on this machine."""
    try:
        yield
    finally:
        for file in Path(tempfile.gettempdir()).glob(f"trial-{run}-*"):
            file.unlink(missing_ok=True)


def _members(copy: Path) -> list[Path]:
    return sorted(copy.parent.glob(f"{copy.name}.*"), key=lambda path: int(path.suffix[1:]))


def _taken(file: Path) -> str:
    """The content of a file, which is then removed; "" if it does not exist."""
    try:
        text = file.read_text("utf-8", errors="backslashreplace")
        file.unlink()
    except OSError:
        return ""
    return text


class _Copied(io.TextIOBase):
    """A stream that also writes its text to a log."""

    def __init__(self, stream: TextIO, log: Log) -> None:
        self.stream, self.log = stream, log

    def write(self, text: str) -> int:
        self.log.add(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.stream.fileno()


@contextmanager
def printed(log: Log) -> Iterator[None]:
    """Log what this process prints while the block runs."""
    with redirect_stdout(_Copied(sys.stdout, log)), redirect_stderr(_Copied(sys.stderr, log)):
        yield
