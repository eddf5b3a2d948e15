"""Meshes in the Object File Format, `OFF`, as Geomview defines it: vertices and the triangles of all faces."""

import re
from pathlib import Path

import numpy as np

from trainables.errors import BadInput

Words = list[str]
_HEADER = re.compile(r"(?P<kind>(?:ST)?C?N?4?n?)OFF(?P<rest>.*)|off(?P<plain>.*)")


def read_off(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (vertices, 3) and triangles (triangles, 3) of an OFF file; larger faces are cut into fans.

    If each vertex and face has its own line, further entries on it, such as colors and normals (COFF, NOFF,
    STOFF too), are ignored. Without such lines, the numbers must be those of vertices and faces only.

    Raises:
        BadInput: If it is not such a file; the message names it, and the line if there is one.
    """
    try:
        return _read(path.read_bytes().decode("utf-8-sig", errors="replace"))
    except (OSError, ValueError, OverflowError) as error:
        raise BadInput(f"{path}: not an OFF mesh, or cut short ({error})") from error


def _read(text: str) -> tuple[np.ndarray, np.ndarray]:
    lines = (line.partition("#")[0].strip() for line in re.split(r"\r\n|\r|\n", text))
    numbered = [(at, line) for at, line in enumerate(lines, 1) if line]
    for at, line in numbered:
        if "_" in line:  # only Python reads 1_000 as a number
            raise ValueError(f"line {at}: '{line[:40]}' does not consist of numbers")
    kind, rest = _header(numbered[0][1] if numbered else "")
    rows = [(at, line.split()) for at, line in numbered[1:]]
    if rest:  # in some files of ModelNet the counts follow "OFF" on the same line, without a space
        rows.insert(0, (numbered[0][0], rest.split()))
    if not rows:
        raise ValueError("contains no counts")
    at, counts = rows[0]
    vertices, faces = (_whole(word, at) for word in (counts[:2] if len(counts) > 1 else ["", ""]))
    if len(counts) <= 3 and _has_lines(rows[1:], vertices, faces):
        return _from_lines(rows[1:], vertices)
    if kind:
        raise ValueError(f"{kind}OFF without a line for each of its {vertices} vertices and {faces} faces")
    try:
        return _from_stream([word for _, row in rows for word in row], at, vertices, faces)
    except ValueError as error:
        if len(rows) - 1 <= vertices + faces:
            raise
        at = rows[1 + vertices + faces][0]
        raise ValueError(
            f"line {at}: more than the {vertices} vertices and {faces} faces declared, one per line"
        ) from error


def _header(line: str) -> tuple[str, str]:
    """The kind of the vertices, beyond x, y, z, and the text after the keyword; ValueError if unreadable."""
    found = _HEADER.fullmatch(line)
    if not found:
        raise ValueError("does not begin with OFF")
    kind, rest = found["kind"] or "", (found["plain"] if found["rest"] is None else found["rest"]).strip()
    if "4" in kind or "n" in kind:
        raise ValueError(f"'{kind}OFF' has points that do not have three coordinates; export it as OFF")
    if rest.upper().startswith("BINARY"):
        raise ValueError(f"'{kind}OFF BINARY' is not supported; export it as text")
    return kind, rest


def _has_lines(rows: list[tuple[int, Words]], vertices: int, faces: int) -> bool:
    """Whether each vertex and each face has its own line."""
    if len(rows) != vertices + faces or any(len(row) < 3 for _, row in rows[:vertices]):
        return False
    return all(row[0].isdecimal() and len(row) > int(row[0]) for _, row in rows[vertices:])


def _from_lines(rows: list[tuple[int, Words]], vertices: int) -> tuple[np.ndarray, np.ndarray]:
    try:  # nearly all meshes: numbers, and triangles only
        points = np.array([row[:3] for _, row in rows[:vertices]], dtype=np.float64).reshape(-1, 3)
        corners = np.array([_three(row) for _, row in rows[vertices:]], dtype=np.int64).reshape(-1, 3)
        if ((corners >= 0) & (corners < vertices)).all():
            return points, corners
    except ValueError:
        pass
    points = np.array([[_number(word, at) for word in row[:3]] for at, row in rows[:vertices]])
    triangles = [
        triangle
        for at, row in rows[vertices:]
        for triangle in _fan([_corner(word, at, vertices) for word in row[1 : 1 + int(row[0])]])
    ]
    return _arrays(points, triangles)


def _three(row: Words) -> Words:
    if row[0] != "3":
        raise ValueError("not a triangle")
    return row[1:4]


def _from_stream(words: Words, at: int, vertices: int, faces: int) -> tuple[np.ndarray, np.ndarray]:
    """From a stream of numbers, regardless of line breaks."""
    start = 3 + 3 * vertices
    if len(words) < start + faces:
        raise ValueError(f"{vertices} vertices and {faces} faces are declared, but fewer are present")
    points = np.array([_number(word, at) for word in words[3:start]])
    triangles = []
    for _ in range(faces):
        end = start + 1 + (_whole(words[start], at) if start < len(words) else 0)
        if end > len(words):
            raise ValueError("the last face is incomplete")
        triangles += _fan([_corner(word, at, vertices) for word in words[start + 1 : end]])
        start = end
    if start != len(words):
        raise ValueError(
            f"{len(words) - start} numbers more than its vertices and faces need, and no line breaks to assign them"
        )
    return _arrays(points, triangles)


def _arrays(points: np.ndarray, triangles: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return points.reshape(-1, 3), np.array(triangles, dtype=np.int64).reshape(-1, 3)


def _fan(corners: list[int]) -> list[tuple[int, int, int]]:
    """The triangles of a polygon; none for a point or an edge, which have no area."""
    return [(corners[0], corners[i], corners[i + 1]) for i in range(1, len(corners) - 1)]


def _number(word: str, at: int) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"line {at}: '{word[:40]}' is not a number") from None


def _whole(word: str, at: int) -> int:
    if not (word.isdecimal() and len(word) < 13):
        raise ValueError(f"line {at}: '{word[:40]}' is not a count")
    return int(word)


def _corner(word: str, at: int, vertices: int) -> int:
    corner = _whole(word, at)
    if corner >= vertices:
        raise ValueError(f"line {at}: a face refers to vertex {corner} of {vertices}, counted from 0")
    return corner
