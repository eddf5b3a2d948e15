"""A small study that tests change one key of, and the command line to run it with."""

import contextlib
import copy
import io
import sys
from typing import NamedTuple
from unittest.mock import patch

from study.cli import main

CONTENT = {
    "name": "small",
    "task": {"name": "nbody", "train": 20, "val": 10, "test": 10},
    "model": {"name": "egnn", "hidden": 8, "layers": 2},
    "training": {"epochs": 2, "batch_size": 5},
    "arms": {"strict": {"method": "strict"}, "triangle": {"method": "relaxed", "schedule": "triangle"}},
    "grid": {"lr": {"log": [1e-4, 1e-1], "points": 4}, "seed": 3},
}


def changed(path, value):
    """The study with the value at `path` (keys joined by /) replaced."""
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split("/")
    block = content
    for parent in parents:
        block = block.setdefault(parent, {})
    block[last] = value
    return content


class Finished(NamedTuple):
    """Exit code and output of a finished command."""

    returncode: int
    stdout: str
    stderr: str


def study(*arguments):
    """Run the command line in this process: much quicker than one process for each command."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["study", *map(str, arguments)]),
        patch.object(sys, "path", list(sys.path)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return Finished(code, out.getvalue(), err.getvalue())
