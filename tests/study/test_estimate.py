"""The cost that `study plan` names is that of the trial, from a few steps on little data."""

import time

import pytest
import torch
from tests_support import CONTENT, changed

from study.config import resolve_config
from study.estimate import cost
from study.plan import plan
from trainables import registry
from trainables.errors import BadInput
from trainables.training.loop import run_trial


def test_the_estimate_is_near_what_the_trial_takes(tmp_path):
    content = {**CONTENT, "task": {"name": "nbody", "train": 100, "val": 100, "test": 10}}
    spec = plan(resolve_config({**content, "training": {"epochs": 4, "batch_size": 5}}))[0].spec
    task = registry.build("task", spec.task, tmp_path)
    estimated = cost(spec, str(tmp_path)).trial
    started = time.perf_counter()
    run_trial(spec, task, torch.device("cpu"))
    taken = time.perf_counter() - started
    # Other work of the machine slows both, not always alike.
    assert taken / 5 < estimated < 5 * taken


def test_missing_data_are_named(tmp_path):
    content = changed("task", {"name": "forces"})
    spec = plan(resolve_config({**content, "model": {"name": "egnn"}}))[0].spec
    with pytest.raises(BadInput, match="ethanol"):
        cost(spec, str(tmp_path))
