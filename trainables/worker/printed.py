"""What a trial prints, kept for its log beside where it goes anyway."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from trainables.results.record import log_path
from trainables.results.store import Store

KEPT = 200_000  # characters at either end of a log: nothing that prints for ever fills memory or disk


class Log:
    """The beginning and the end of what was written."""

    def __init__(self) -> None:
        self.beginning, self.end, self.written = "", "", 0

    def add(self, text: str) -> None:
        """Keep a piece of text."""
        self.written += len(text)
        room = KEPT - len(self.beginning)
        self.beginning, rest = self.beginning + text[:room], text[room:]
        self.end = (self.end + rest)[-KEPT:]

    def text(self) -> str:
        """What is kept, with the length of what is not."""
        left_out = self.written - len(self.beginning) - len(self.end)
        return self.beginning + (f"\n[{left_out:,} characters left out]\n" if left_out else "") + self.end

    def write(self, store: Store, trial_id: str) -> None:
        """Put the log in its place, if there is anything in it."""
        if self.written:
            store.write(log_path(trial_id), self.text().encode(errors="backslashreplace"))


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
def printed() -> Iterator[Log]:
    """A log of what this process prints while the block runs."""
    log = Log()
    with redirect_stdout(_Copied(sys.stdout, log)), redirect_stderr(_Copied(sys.stderr, log)):
        yield log
