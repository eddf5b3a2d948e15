"""Properties of every task."""

import pytest

from trainables import registry


@pytest.mark.parametrize(
    ("bodies", "options", "samples"),
    [(5, {}, 500), (100, {}, 6), (100, {"num_neighbors": 16}, 37), (300, {}, 1)],
    ids=["few bodies", "many", "many with few edges", "more edges than a batch"],
)
def test_large_graphs_are_evaluated_in_small_batches(tmp_path, bodies, options, samples):
    description = {"name": "nbody", "bodies": bodies, "train": 1, "val": 1, "test": 1, **options}
    task = registry.build("task", registry.resolve("task", description), tmp_path)
    assert task.evaluation_batch == samples
