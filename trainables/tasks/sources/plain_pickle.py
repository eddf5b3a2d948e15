"""Pickles of NumPy arrays and plain containers, and of nothing else that a pickle could create."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct, scalar
from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]  # left out of its stubs

from trainables.errors import BadInput, brief


def latin1_bytes(text: str, encoding: str) -> bytes:
    """Stand-in for `_codecs.encode`, which Python 3 writes for bytes in Python 2's protocols; latin1 only."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding '{encoding}'")
    return text.encode("latin1")


ADMITTED = {
    ("multiarray", "_reconstruct"): _reconstruct,
    ("multiarray", "scalar"): scalar,
    ("numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): latin1_bytes,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
"""What rebuilds arrays, by module and name; the first three are in different places in NumPy 1 and 2."""

PLACES = {
    **{
        f"numpy.{core}.{module}": module for core in ("core", "_core") for module in ("multiarray", "numeric")
    },
    "_codecs": "_codecs",
    "numpy": "numpy",
}


class PlainUnpickler(pickle.Unpickler):
    """Reads numbers, strings, containers and arrays of them; refuses to look up anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The admitted object; nothing is imported."""
        try:
            return ADMITTED[PLACES[module], name]
        except KeyError:
            raise pickle.UnpicklingError(f"it requests {module}.{name}; only arrays are allowed") from None


def read_plain_pickle(path: Path) -> Any:
    """The content of a pickle, written by Python 2 or 3.

    Raises:
        BadInput: If the file is missing, damaged or contains other objects.
    """
    try:
        return PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle may raise anything
        raise BadInput(f"{path}: not a complete pickle of arrays: {brief(error)}") from error
