"""A last line for a process that cannot print one itself: killed, or ended by Ray when its raylet is lost."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

# Reading fails when this process, which holds the other end of the pipe, has ended without a line.
WATCHER = 'read -r line || printf "%s\\n" "$0" >&2'


@contextmanager
def last_words(words: str) -> Iterator[None]:
    """Have `words` printed on stderr if this process ends within the block, however it ends."""
    # In a separate session it receives no Ctrl-C.
    watcher = subprocess.Popen(["sh", "-c", WATCHER, words], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        watcher.communicate(b"it ends by itself\n")
