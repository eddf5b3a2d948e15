"""A line for a process that ends without a chance to say one: killed, or ended by Ray when its raylet is gone."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

# Reading fails when this process, which holds the other end of the pipe, has ended without a line.
WATCHER = 'read -r line || printf "%s\\n" "$0" >&2'


@contextmanager
def last_words(words: str) -> Iterator[None]:
    """Have `words` said on stderr where this process ends within the block, however it ends."""
    # In a separate session it receives no Ctrl-C.
    watcher = subprocess.Popen(["sh", "-c", WATCHER, words], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        watcher.communicate(b"it ends by itself\n")
