"""Frames of an extended XYZ file as text: number of atoms, pairs of the comment line, and columns.

The whole file is accounted for: anything but frames and empty lines between them is refused, with its line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import atomic_numbers

from trainables.tasks.sources.comment_line import Pairs, only, pairs_of

_COUNT = re.compile(r"\s*\+?(\d{1,12})\s*", re.ASCII)
_DEFAULT_PROPERTIES = "species:S:1:pos:R:3"


@dataclass(frozen=True)
class XYZFrame:
    """One frame.

    Attributes:
        line: Number of its first line in the file, from 1.
        pairs: The pairs of its comment line.
        columns: Name -> (kind, first column, end), as `Properties` declares them; kinds are R, I, S and L.
        rows: The words of each atom's line.
    """

    line: int
    pairs: Pairs
    columns: dict[str, tuple[str, int, int]]
    rows: list[list[str]]

    def __len__(self) -> int:
        return len(self.rows)

    def numbers_in(self, name: str, width: int) -> np.ndarray:
        """(atoms, width) float64 of a column; ValueError naming the line if it is anything else."""
        kind, first, end = self.columns[name]
        if kind not in "RI" or end - first != width:
            raise ValueError(
                f"line {self.line + 1}: '{name}:{kind}:{end - first}', expected '{name}:R:{width}'"
            )
        words = [row[first:end] for row in self.rows]
        try:
            if any("_" in word for row in words for word in row):  # only Python reads 1_000 as a number
                raise ValueError
            return np.array(words, dtype=np.float64)
        except ValueError:
            return np.array([[self._number(at, word) for word in row] for at, row in enumerate(words)])

    def _number(self, atom: int, word: str) -> float:
        try:
            return number(word)
        except ValueError as error:
            raise ValueError(f"line {self.line + 2 + atom}: {error}") from error

    @cached_property
    def elements(self) -> np.ndarray:
        """(atoms,) atomic numbers, from the symbols in `species` or from `Z`; ValueError naming the line."""
        known = [name for name in ("species", "Z") if name in self.columns]
        if not known:
            raise ValueError(f"line {self.line + 1}: neither 'species' nor 'Z' among the Properties")
        found = [
            [self._element(at, row[self.columns[name][1]]) for at, row in enumerate(self.rows)]
            for name in known
        ]
        for at, pair in enumerate(zip(*found, strict=True)):
            if len(set(pair)) > 1:
                raise ValueError(f"line {self.line + 2 + at}: 'species' and 'Z' name different elements")
        return np.array(found[0])

    def _element(self, atom: int, word: str) -> int:
        element = int(word) if word.isdecimal() else atomic_numbers.get(word.capitalize(), 0)
        if not 1 <= element <= 118:
            raise ValueError(f"line {self.line + 2 + atom}: '{word[:20]}' is not an element")
        return element


def number(word: str) -> float:
    """A number as Python, C or Fortran (1.0D-3) write it; ValueError otherwise."""
    try:
        return float(
            word if not re.search("[dD_]", word) else re.sub("[dD]", "e", word, count=1).replace("_", "?")
        )
    except ValueError as error:
        raise ValueError(f"'{word[:40]}' is not a number") from error


def frames_in(text: str) -> Iterator[XYZFrame]:
    """All frames of a file's text; ValueError naming the line that is malformed."""
    lines = re.split(r"\r\n|\r|\n", text)
    start = _next(lines, 0)
    while start < len(lines):
        frame = _frame(lines, start)
        end = start + 2 + len(frame)
        if end == len(lines):
            _check_last_number(frame)
        yield frame
        start = _next(lines, end)


def _next(lines: list[str], start: int) -> int:
    """The next line that is not empty."""
    while start < len(lines) and not lines[start].strip():
        start += 1
    return start


def _frame(lines: list[str], start: int) -> XYZFrame:
    count = _COUNT.fullmatch(lines[start])
    if not count:
        raise ValueError(f"line {start + 1}: expected a number of atoms, found '{lines[start].strip()[:40]}'")
    atoms = int(count[1])
    first = start + 2
    if not 1 <= atoms <= len(lines) - first:
        raise ValueError(
            f"line {start + 1}: {atoms} atoms, but the file ends too early"
            if atoms
            else f"line {start + 1}: no atoms"
        )
    try:
        pairs = pairs_of(lines[start + 1])
        columns = _columns(only(pairs, "Properties") or _DEFAULT_PROPERTIES)
    except ValueError as error:
        raise ValueError(f"line {start + 2}: {error}") from error
    rows = [line.split() for line in lines[first : first + atoms]]
    width = max(end for _, _, end in columns.values())
    # Text may contain spaces: later columns are then where they are declared only if the word counts agree.
    exact = any(kind == "S" and name != "species" for name, (kind, _, _) in columns.items())
    for at, row in enumerate(rows, first + 1):
        if len(row) < width or (exact and len(row) > width):
            raise ValueError(f"line {at}: {len(row)} words, but the Properties declare {width} columns")
    return XYZFrame(start + 1, pairs, columns, rows)


def _columns(properties: str) -> dict[str, tuple[str, int, int]]:
    fields = properties.strip().split(":")
    columns: dict[str, tuple[str, int, int]] = {}
    end = 0
    if len(fields) % 3:
        raise ValueError("Properties are not name:kind:count, repeated")
    for name, kind, count in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if kind not in ("R", "I", "S", "L") or not re.fullmatch(r"[1-9]\d{0,8}", count):
            raise ValueError(f"'{name}:{kind}:{count}' in Properties, expected name:kind:count")
        if name in columns:
            raise ValueError(f"'{name}' appears twice in Properties")
        columns[name] = (kind, end, end + int(count))
        end += int(count)
    return columns


def _check_last_number(frame: XYZFrame) -> None:
    """Raise ValueError if the file's last number, without a line end, has fewer decimals than all others.

    It may have been cut off; if the decimals of a file vary, this cannot be detected.
    """
    if not any(kind == "R" and end == len(frame.rows[-1]) for kind, _, end in frame.columns.values()):
        return
    words = [
        word
        for row in frame.rows
        for kind, first, end in frame.columns.values()
        if kind == "R"
        for word in row[first:end]
    ]
    decimals = [len(word.partition(".")[2]) for word in words]
    if len(words) > 1 and len(set(decimals[:-1])) == 1 and decimals[-1] < decimals[0]:
        raise ValueError(f"line {frame.line + 1 + len(frame)}: truncated; the last line has no line break")
