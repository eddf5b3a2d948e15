"""Damage to files: random changes of their bytes, and a search for changes that reach new lines of their reader."""

import sys
import time
from collections.abc import Callable
from random import Random

from hypothesis import strategies as st

NUMBERS = [
    b"0",
    b"-1",
    b"1e999",
    b"nan",
    b"99999999999999",
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\n",
    b":",
    b"[",
    b'"',
]


def change(content: bytes, random: Random) -> bytes:
    """A few random cuts, flips, repetitions and insertions."""
    for _ in range(random.randint(1, 4)):
        start, length = random.randint(0, len(content)), random.choice((1, 1, 2, 8, 64))
        piece = content[start : start + length]
        flipped = bytes(byte ^ 1 << random.randrange(8) for byte in piece)
        replacement = random.choice((b"", flipped, flipped, 2 * piece, random.choice(NUMBERS)))
        content = content[:start] + replacement + content[start + length :]
        if random.random() < 0.1:
            content = content[: random.randint(0, len(content))]
    return content


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """The file with random damage."""
    return st.randoms(use_true_random=True).map(lambda random: change(whole, random))


def explore(
    read: Callable[[bytes], None], whole: bytes, sources: tuple[str, ...], seconds: float, random: Random
) -> tuple[int, int]:
    """Read damaged files, building on those that reached new lines of the `sources`.

    sources: parts of the paths of the Python files that are watched
    Returns how many files were read, and how many lines were reached.
    """
    corpus, reached, reads = [whole], set(), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = change(random.choice(corpus), random) if reads else whole
        lines = _lines_of(lambda content=content: read(content), sources)
        if not lines <= reached:
            reached |= lines
            corpus.append(content)
        reads += 1
    return reads, len(reached)


def _lines_of(call: Callable[[], None], sources: tuple[str, ...]) -> set[tuple[str, int]]:
    lines = set()

    def enter(frame, event, argument):
        return line if any(part in frame.f_code.co_filename for part in sources) else None

    def line(frame, event, argument):
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines
