"""A program that reads cases as JSON, runs steps of each on the fake accelerator, and writes noted faults as JSON."""

import copy
import json
import sys
import tempfile
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from fake_accelerator import Accelerator, OnDevice, register

from trainables import registry
from trainables.spec import Failure, Training, TrialSpec
from trainables.tasks.forces import Forces
from trainables.tasks.mocap import Mocap
from trainables.tasks.task import Task
from trainables.training import optimizers
from trainables.training.epoch import train_epoch
from trainables.training.matrices import hidden_matrices
from trainables.training.run import Run, start
from trainables.training.step import batches, train_step

SAMPLES = 4


def main() -> None:
    cases = json.load(sys.stdin)
    accelerator = register()
    torch.set_num_threads(1)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    json.dump({name: noted_in(case, accelerator) for name, case in cases.items()}, sys.stdout)


def noted_in(case: dict[str, Any], accelerator: Accelerator) -> dict[str, list[str]]:
    """Faults noted in a second step, in the method's measures and, if requested, in an epoch without validation."""
    try:
        run = started(case)
        with accelerator:
            moved(run, accelerator)
            first, second = batches(run, 0)
            run.progress.step = case.get("step", run.steps // 4)  # theta is neither 0 nor 1
            train_step(run, first, OnDevice())  # constants are copied to the device once
            run.progress.step += 1
            with accelerator.watch() as step:
                train_step(run, second, OnDevice())
            with accelerator.watch() as measures:
                run.method.measures(run.model)
            with (
                accelerator.watch() as epoch,
                patch("trainables.training.epoch.stream", generator),
                patch("trainables.training.step.stream", generator),
            ):
                if case.get("epoch"):
                    train_epoch(run, 1)
        return {"step": step, "measures": measures, "epoch": epoch}
    except Exception:
        return {"step": [traceback.format_exc()], "measures": [], "epoch": []}


def started(case: dict[str, Any]) -> Run:
    """The run of a case at its beginning, on the host."""
    training = {
        "lr": 1e-3,
        "batch_size": SAMPLES,
        "epochs": 10,
        "validate_every": 10,
        **case.get("training", {}),
    }
    method = registry.resolve("method", case["method"])
    model = registry.resolve("model", case["model"])
    spec = TrialSpec(
        task={"name": case["task"]},
        model=model,
        method=method,
        training=Training(**training),
        failure=Failure(),
        seed=0,
    )
    task = copy.deepcopy(small_task(case["task"]))  # a copy, since the case moves it to the device
    return start(spec, task, torch.device("cpu"), None)


@lru_cache
def small_task(name: str) -> Task:
    """A few samples with every kind of data that a step can encounter."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    joints = {key: normal(2 * SAMPLES, 5, 3) for key in ("positions", "velocities", "targets", "forces")}
    if name == "mocap":
        links = torch.tensor([[0, 1], [1, 2], [2, 3], [1, 4]]).numpy()
        return Mocap(dict.fromkeys(("train", "val", "test"), joints), links, 30, height=True)
    if name == "forces":
        split = joints | {"energies": normal(2 * SAMPLES)}
        return Forces(dict.fromkeys(("train", "val", "test"), split), torch.tensor([6, 1, 1, 8, 1]).numpy())
    sizes = {"train": 2 * SAMPLES, "val": SAMPLES, "test": SAMPLES}
    options: dict[str, Any] = {
        "nbody": {},
        "nbody_neighbors": {"num_neighbors": 2},
        "pointclouds": {
            "points": 32,
            "augment": {"dropout": 0.5, "scale": 1.2, "shift": 0.1, "jitter": 0.01},
        },
    }[name]
    description = registry.resolve("task", {"name": name.partition("_")[0], **sizes, **options})
    with tempfile.TemporaryDirectory() as folder:
        return registry.build("task", description, Path(folder))


def moved(run: Run, accelerator: Accelerator) -> None:
    """Move a run to the device in the order of `start`: task, model, then the optimizers."""
    run.device = accelerator.device
    run.task.to(run.device)
    run.model.to(run.device)
    added = run.method.companion_parameters(run.model)
    ids = {id(parameter) for parameter in added}
    kept = [parameter for parameter in run.model.parameters() if id(parameter) not in ids]
    hidden = hidden_matrices(run.model)
    run.trunk, run.companions = (
        optimizers.build(run.spec.training, parameters, hidden) for parameters in (kept, added)
    )
    run.model.train()


def generator(*arguments: Any) -> torch.Generator:
    """Replaces `stream`, which cannot make a generator for a device that does not exist."""
    on_device = any(getattr(argument, "type", "cpu") != "cpu" for argument in arguments)
    return OnDevice() if on_device else torch.Generator()


if __name__ == "__main__":
    main()
