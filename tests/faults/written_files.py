"""Shared by the writers of random data files: a file with its meaning, and numbers with their text."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainables.tasks.sources.frames import Keys

Arrays = dict[str, np.ndarray]


@dataclass
class Written:
    """A file with what it means.

    arrays: the expected content by name; None if the file must be refused
    atol: the precision lost in writing, absolute
    """

    path: Path
    arrays: Arrays | None
    atol: float = 0.0
    keys: Keys = field(default_factory=Keys)


def pick(random, *choices):
    return choices[random.integers(len(choices))]


def numbers(random, *shape):
    """Ordinary numbers with many digits, some of them large, small or whole."""
    values = random.normal(size=shape) * 10.0 ** random.integers(-3, 3, size=shape)
    return np.where(random.random(shape) < 0.1, np.rint(values), values)


def text_of(random, value):
    """A number as programs print it; the text is its exact meaning."""
    form = pick(random, "repr", "repr", "%.8f", "%16.9f", "%.10e", "%.10E", "fortran")
    text = repr(float(value)) if form == "repr" else ("%.10E" if form == "fortran" else form) % value
    return text.replace("E", "D") if form == "fortran" else text


def meant(text):
    return float(text.replace("D", "E"))


def stored(random, array):
    """The array in another order of bytes or axes, or with fewer digits; its values are the ones meant."""
    array = array.astype(pick(random, "<f8", ">f8", "<f4", ">f4"))
    return np.asfortranarray(array) if random.random() < 0.3 else array
