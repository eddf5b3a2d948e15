"""The second line of a frame of extended XYZ: `key=value` pairs, values with spaces in quotes or brackets."""

import re

_CLOSING = {'"': '"', "'": "'", "{": "}", "[": "]"}
_SPACE = re.compile(r"\s*")
_BARE_KEY = re.compile(r"[^\s=]+")
_BARE_VALUE = re.compile(r"\S+")
_NEXT_PAIR = re.compile(r"\s+[^\s=]+\s*=")

Pairs = dict[str, list[str]]
"""The values of each key in order; a single value if the line is well-formed."""


def pairs_of(line: str) -> Pairs:
    """All pairs of a comment line; a bare word has the value 'T'. ValueError if a quote is not closed."""
    pairs: Pairs = {}
    position = _after_space(line, 0)
    while position < len(line):
        key, position = _piece(line, position, _BARE_KEY)
        after = _after_space(line, position)
        value = "T"
        if line[after : after + 1] == "=":
            value, position = _value(line, after + 1)
        if key:
            pairs.setdefault(key, []).append(value)
        position = _after_space(line, position)
    return pairs


def only(pairs: Pairs, key: str) -> str | None:
    """The value of a key, None if absent; ValueError if there are several that differ."""
    values = set(pairs.get(key, []))
    if len(values) > 1:
        raise ValueError(f"'{key}' is given twice with different values")
    return values.pop() if values else None


def _after_space(line: str, position: int) -> int:
    """The end of the white space that begins at a position."""
    space = _SPACE.match(line, position)
    return space.end() if space else position


def _value(line: str, position: int) -> tuple[str, int]:
    if _NEXT_PAIR.match(line, position):  # `key= next=1`
        return "", position
    return _piece(line, _after_space(line, position), _BARE_VALUE)


def _piece(line: str, position: int, bare: re.Pattern[str]) -> tuple[str, int]:
    """The word, quoted text or bracket that begins at a position, and its end."""
    opening = line[position : position + 1]
    if opening in ("{", "["):
        return _bracket(line, position)
    if opening in _CLOSING:
        return _quoted(line, position)
    word = bare.match(line, position)
    return (word[0], word.end()) if word else ("", min(position + 1, len(line)))


def _quoted(line: str, start: int) -> tuple[str, int]:
    ends = re.compile(rf"\\.|{line[start]}")
    for found in ends.finditer(line, start + 1):
        if found[0] == line[start]:
            return re.sub(r"\\(.)", r"\1", line[start + 1 : found.start()]), found.end()
    raise ValueError(f"a quote ({line[start]}) is not closed")


def _bracket(line: str, start: int) -> tuple[str, int]:
    opening, closing, depth = line[start], _CLOSING[line[start]], 0
    for found in re.compile(r"[\[\]{}]").finditer(line, start):
        depth += (found[0] == opening) - (found[0] == closing)
        if depth == 0:
            return line[start + 1 : found.start()], found.end()
    raise ValueError(f"a bracket ({opening}) is not closed")
