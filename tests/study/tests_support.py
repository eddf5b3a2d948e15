"""A small study that tests change one key of."""

import copy

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
