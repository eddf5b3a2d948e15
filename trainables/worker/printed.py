"""What a trial prints, kept for its log beside where it goes anyway.

A worker may be ended without a chance to write the log. So a file of this machine, the copy, holds the same at every
moment, and whoever comes after the worker goes on from there.
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

KEPT = 200_000  # characters at either end of a log: nothing that prints for ever fills memory or disk


class Log:
    """The beginning and the end of what was written.

    Args:
        copy: File that holds the same, from `copy_of`; what an ended worker left there comes first.
    """

    def __init__(self, copy: Path | None = None) -> None:
        self.beginning, self.end, self.written = "", "", 0
        self.copy, self.copied = copy, 0
        if copy is not None:
            self.add(_taken(copy))

    def add(self, text: str) -> None:
        """Keep a piece of text."""
        self.written += len(text)
        room = KEPT - len(self.beginning)
        self.beginning, rest = self.beginning + text[:room], text[room:]
        self.end = (self.end + rest)[-KEPT:]
        if self.copy is not None and text:
            with suppress(OSError):  # a full disk must not end a trial that prints
                self._copy(self.copy, text)

    def text(self) -> str:
        """What is kept, with the length of what is not."""
        left_out = self.written - len(self.beginning) - len(self.end)
        return self.beginning + (f"\n[{left_out:,} characters left out]\n" if left_out else "") + self.end

    def write(self, store: Store, trial_id: str) -> None:
        """Put the log, and those of the trial's other processes, in its place if there is anything in it."""
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
    """The copy of a trial's log on this machine while the trial goes on."""
    return Path(tempfile.gettempdir(), f"trial-{run or os.getpid()}-{trial_id}.log")


def copy_of_member(copy: Path, rank: int) -> Path:
    """The copy of one of several processes of a trial."""
    return copy.with_name(f"{copy.name}.{rank}")


@contextmanager
def copies_removed(run: str) -> Iterator[None]:
    """Take away, at the end of the block, the copies that ended workers of a run have left on this machine."""
    try:
        yield
    finally:
        for file in Path(tempfile.gettempdir()).glob(f"trial-{run}-*"):
            file.unlink(missing_ok=True)


def _members(copy: Path) -> list[Path]:
    return sorted(copy.parent.glob(f"{copy.name}.*"), key=lambda path: int(path.suffix[1:]))


def _taken(file: Path) -> str:
    """What a file holds, the file removed; "" where there is none."""
    try:
        text = file.read_text("utf-8", errors="backslashreplace")
        file.unlink()
    except OSError:
        return ""
    return text


class _Copied(io.TextIOBase):
    """A stream whose text goes to a log too."""

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
    """Have a log of what this process prints while the block runs."""
    with redirect_stdout(_Copied(sys.stdout, log)), redirect_stderr(_Copied(sys.stderr, log)):
        yield
