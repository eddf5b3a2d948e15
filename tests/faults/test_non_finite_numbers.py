"""NaN in the loss or its gradient makes a trial fail; in the data it is bad input, reported with the file."""

import numpy as np
import pytest
import torch
from real_run import CONTENT

from study.config import resolve_config
from study.plan import plan
from trainables.results.store import open_store
from trainables.worker.attempt import TrialContext, attempt


def outcomes(content, folder):
    around = TrialContext(open_store(folder), folder / "data", torch.device("cpu"))
    return [attempt(trial.spec, around) for trial in plan(resolve_config({**CONTENT, **content}))]


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_nan_in_loss_or_gradient(where, tmp_path):
    model = {"name": "faulty_models:NotANumber", "where": where}
    records = outcomes({"model": model, "grid": {"lr": [1e-3], "seed": 1}}, tmp_path)
    assert [(record.outcome, record.reason) for record in records] == 2 * [("failed", "non_finite")]


def test_nan_in_data(tmp_path):
    points = np.random.default_rng(0).normal(size=(12, 16, 3))
    points[7, 3] = np.nan
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "clouds.npz", points=points, label=np.arange(12) % 2)
    task = {"name": "pointclouds", "source": "npz", "path": "clouds.npz", "points": 8, "train": 4, "val": 4}
    content = {"task": {**task, "test": 4}, "model": "pointnet", "arms": {"strict": {"method": "strict"}}}
    (record,) = outcomes({**content, "grid": {"lr": [1e-3], "seed": 1}}, tmp_path)
    assert (record.outcome, record.reason) == ("crashed", "error")
    assert "clouds.npz: sample 7: coordinates are NaN" in record.detail
