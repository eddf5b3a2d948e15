"""The cost that `study plan` estimates from a few steps on little data is near that of the trial."""

import re
import sys
import time
from types import ModuleType

import pytest
import torch
from tests_support import CONTENT, changed

from study.config import resolve_config
from study.plan import plan
from study.rehearsal.estimate import cost
from study.rehearsal.price import priced
from study.rehearsal.small import few_samples, rehearse
from trainables import registry
from trainables.errors import BadInput
from trainables.methods.relaxed import Relaxed
from trainables.training.loop import run_trial
from trainables.training.step import batches, train_step


def test_the_estimate_is_near_what_the_trial_takes(tmp_path):
    content = {**CONTENT, "task": {"name": "nbody", "train": 100, "val": 100, "test": 10}}
    spec = plan(resolve_config({**content, "training": {"epochs": 4, "batch_size": 5}}))[0].spec
    task = registry.build("task", spec.task, tmp_path)
    estimated = cost(spec, str(tmp_path), torch.device("cpu")).trial.median
    run_trial(spec, task, torch.device("cpu"))  # pays the one-time costs of a process
    started = time.perf_counter()
    run_trial(spec, task, torch.device("cpu"))
    taken = time.perf_counter() - started
    # Other work on the machine slows both, not always equally.
    assert taken / 5 < estimated < 5 * taken


def test_missing_data_are_named(tmp_path):
    content = changed("task", {"name": "forces"})
    spec = plan(resolve_config({**content, "model": {"name": "egnn"}}))[0].spec
    with pytest.raises(BadInput, match="ethanol"):
        cost(spec, str(tmp_path), torch.device("cpu"))


@pytest.mark.parametrize("schedule", ["triangle", "cosine", "constant", "hold"])
def test_a_step_is_priced_at_the_largest_theta(tmp_path, schedule):
    content = changed("arms/triangle/schedule", schedule)
    content["training"] = {"epochs": 1, "batch_size": 20}
    spec = next(trial.spec for trial in plan(resolve_config(content)) if trial.arm == "triangle")
    task = registry.build("task", spec.task, tmp_path)
    run = rehearse(spec, few_samples(task, 4), torch.device("cpu"))
    (index,) = batches(run, 0)
    train_step(run, index, torch.Generator())
    assert run.method.theta_now(run.model) > 0.9


def lines(content, tmp_path):
    config = resolve_config(content)
    return list(priced(config, plan(config), str(tmp_path)))


def test_the_price_gives_hours_of_the_machine_and_of_the_clock(tmp_path):
    *arms, last = lines({**CONTENT, "grid": {"seed": 4}, "resources": {"concurrent": 1}}, tmp_path)
    assert [line.split(",")[0] for line in arms] == ["  arm strict: strict", "  arm triangle: relaxed"]
    assert all(re.search(r"ms a step at full theta \(\S+ to \S+\), \S+ min a trial", line) for line in arms)
    assert re.fullmatch(
        r"about .* core hours, .* wall-clock hours with 1 trial at once on this machine", last
    )


def test_an_arm_without_a_price_is_named_and_the_others_counted(tmp_path, monkeypatch):
    module = ModuleType("mine")
    module.Broken = type("Broken", (Relaxed,), {"relax": lambda self, model, generator: 1 / 0})
    monkeypatch.setitem(sys.modules, "mine", module)
    strict, broken, last = lines(changed("arms/triangle", {"method": "mine:Broken"}), tmp_path)
    assert "ms a step" in strict
    assert "cost unknown (ZeroDivisionError: division by zero (test_estimate.py:" in broken
    assert last.endswith("without triangle, whose cost is unknown")
    assert "nan" not in last


def test_without_a_gpu_no_gpu_hours_are_made_up(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    last = lines({**CONTENT, "resources": {"gpus": 0.25}}, tmp_path)[-1]
    assert last.startswith("this machine has no GPU to time on: ")


def test_the_price_of_an_axis_of_sizes_is_a_range(tmp_path):
    content = changed("grid/model.hidden", [4, 64])
    content["grid"] |= {"lr": [1e-3], "seed": 1}
    strict = lines({**content, "arms": {"strict": {"method": "strict"}}}, tmp_path)[0]
    assert re.search(r"\S+ to \S+ ms a step at full theta, \S+ to \S+ min a trial", strict)


def test_the_price_of_compiled_trials_says_that_steps_were_not(tmp_path):
    assert "uncompiled" not in lines(CONTENT, tmp_path)[-1]
    *_, last = lines(changed("training/compile", True), tmp_path)
    assert last.endswith("; steps are timed uncompiled")
