"""Generated data is cached if possible, and generated again otherwise."""

import numpy as np
import pytest
import torch

from trainables.errors import BadInput
from trainables.tasks.cache import cached_arrays
from trainables.tasks.nbody import nbody
from trainables.tasks.pointclouds import pointclouds

NBODY = {"train": 4, "val": 3, "test": 3}
CLOUDS = {"points": 8, "train": 4, "val": 4, "test": 4}


@pytest.mark.parametrize(("task", "options"), [(nbody, NBODY), (pointclouds, CLOUDS)])
def test_a_folder_that_cannot_be_written_costs_only_time(task, options, tmp_path):
    kept = task(tmp_path, **options)
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "cache").write_text("a file where the cache belongs")
    made = task(closed, **options)
    for name, split in kept.splits.items():
        for key, values in split.items():
            assert torch.equal(values, made.splits[name][key])


def test_arrays_are_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"numbers": np.arange(3)}

    for _ in range(2):
        np.testing.assert_array_equal(cached_arrays(tmp_path, "few", {}, make)["numbers"], [0, 1, 2])
    assert made == [1]


def test_unusable_data_is_reported_once(tmp_path):
    made = []

    def make():
        made.append(1)
        raise BadInput("no good")

    with pytest.raises(BadInput, match="no good"):
        cached_arrays(tmp_path, "few", {}, make)
    assert made == [1]
