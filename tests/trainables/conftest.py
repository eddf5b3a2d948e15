"""Small specs and tasks shared by the tests of `trainables`."""

import pytest
import torch

from trainables import registry
from trainables.spec import Failure, Training, TrialSpec

TASK = registry.resolve("task", {"name": "nbody", "train": 40, "val": 16, "test": 16})
EGNN = {"name": "egnn", "hidden": 8, "layers": 2}
LINEAR_LAYERS = {"name": "se3_transformer", "channels": 4, "layers": 1, "heads": 2, "radial": 4}
"""A network whose relaxed layers can fold their companions; those of EGNN cannot."""


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def task(data_folder):
    return registry.build("task", TASK, data_folder)


@pytest.fixture
def make_spec():
    """A spec of a quick n-body trial: `make_spec(method={...}, lr=..., seed=...)`.

    The model is a small EGNN, or an SE(3)-Transformer for a method that folds.
    """

    def make(method=None, seed=0, model=None, failure=None, **training):
        folds = (method or {}).get("projection") == "fold"
        settings = {"lr": 1e-3, "batch_size": 8, "epochs": 4, **training}
        return TrialSpec(
            task=TASK,
            model=registry.resolve("model", model or (LINEAR_LAYERS if folds else EGNN)),
            method=registry.resolve("method", method or {"name": "strict"}),
            training=Training(**settings),
            failure=failure or Failure(),
            seed=seed,
        )

    return make


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def float64():
    """Models and data in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
