"""The error for bad input, one line that names the key and the remedy, and helpers to write such lines."""

import sysconfig
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


class BadInput(ValueError):
    """Something the user wrote cannot be used; the message names the key and the remedy in one line."""

    def __str__(self) -> str:
        """The message; characters that would break the line, such as a line break in a key, are escaped."""
        return "".join(
            character if character.isprintable() else repr(character)[1:-1] for character in super().__str__()
        )


def nearest(name: str, known: list[str]) -> str:
    """'did you mean ...?', or the list of known names."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"


def first_message(error: ValidationError, where: str, model: type[BaseModel]) -> str:
    """Pydantic's first complaint about a `model` in one line: the key, and if unknown, the nearest one."""
    complaint = error.errors()[0]
    key = ".".join(str(part) for part in (where, *complaint["loc"]) if part != "")
    if complaint["type"] == "extra_forbidden":
        *parents, unknown = complaint["loc"]
        return f"{key}: unknown key; {nearest(str(unknown), _known_keys(model, parents))}"
    if complaint["type"] == "missing":
        return f"{key}: missing"
    message = complaint["msg"].removeprefix("Value error, ")
    if complaint["type"] == "value_error" and isinstance(complaint["input"], dict):
        return f"{key}: {message}"  # a whole block, of which the message names the setting
    return f"{key}: {message} (got {complaint['input']!r})"


def _known_keys(model: Any, parents: Sequence[int | str]) -> list[str]:
    """The known keys below `parents`, found by walking a model from field to field."""
    for part in parents:
        field = getattr(model, "model_fields", {}).get(part)
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
    return list(getattr(model, "model_fields", ()))


def brief(error: BaseException) -> str:
    """Kind and message of an exception in one line of at most 300 characters."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].removesuffix(": ")


OURS = Path(__file__).parents[1]
LIBRARIES = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
FRAMES = 3


def raised_at(error: BaseException) -> str:
    """An exception in one line, with the places in the user's own files that it passed through, innermost first.

    If none of the user's files is involved, the innermost place in this project is named.
    """
    frames = list(reversed(traceback.extract_tb(error.__traceback__)))
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))]
    users = [frame for frame in frames if frame not in ours and not _is_library(frame.filename)]
    places = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in (users[:FRAMES] or ours[:1])
    ]
    return f"{brief(error)} ({', called by '.join(places)})" if places else brief(error)


def _is_ours(path: Path) -> bool:
    return any(path.is_relative_to(OURS / package) for package in ("study", "trainables", "analysis"))


def _is_library(filename: str) -> bool:
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in LIBRARIES)
