"""No training step mixes devices, copies from the host or waits for the device: checked on a fake one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

GRAPHS = {
    "egnn": {"name": "egnn", "hidden": 4, "layers": 1},
    "segnn": {"name": "segnn", "hidden": 4, "layers": 1},
    "se3_transformer": {"name": "se3_transformer", "channels": 4, "layers": 1, "heads": 1},
    "equiformer": {"name": "equiformer", "channels": 4, "layers": 1, "heads": 1, "degree": 1},
}
CLOUDS = {
    "vn_pointnet": {"name": "vn_pointnet", "width": 0.2, "num_neighbors": 4},
    "vn_dgcnn": {"name": "vn_dgcnn", "width": 0.2, "num_neighbors": 4},
}
METHODS = {
    "strict": {"name": "strict"},
    "strict, rotated and mirrored": {"name": "strict", "rotate": "graph", "inversion": True},
    "relaxed": {"name": "relaxed"},
    "linear": {"name": "relaxed", "schedule": "linear"},
    "cosine": {"name": "relaxed", "schedule": "cosine"},
    "exponential": {"name": "relaxed", "schedule": "exponential"},
    "step": {"name": "relaxed", "schedule": "step"},
    "hold": {"name": "relaxed", "schedule": "hold"},
    "constant": {"name": "relaxed", "schedule": "constant"},
    "exact": {"name": "relaxed", "lie_form": "exact", "rotate": "batch"},
    "random": {
        "name": "relaxed",
        "lie_form": "random",
        "penalty": {"lie": {"weight": 0.1, "course": "theta"}},
    },
    "root of sums": {"name": "relaxed", "penalty_form": "root_sum"},
    "no penalty": {"name": "relaxed", "penalty": {"lie": 0, "norm": 0}},
    "mlp": {"name": "relaxed", "companion": "mlp"},
    "ace": {"name": "ace", "augmented": 1.0},
    "ace elastic": {"name": "ace", "form": "elastic", "dual_optimizer": "adam"},
    "unconstrained": {"name": "unconstrained"},
}
TASKS = ("mocap", "forces", "nbody_neighbors")
TRAININGS = {
    "muon": {"optimizer": "muon", "clip": 1.0},
    "adam_block": {"optimizer": "adam_block", "weight_decay": 0.1, "warmup": 0.5, "lr_schedule": "cosine"},
}


def case(model, method, task=None, training=None):
    task = task or ("pointclouds" if model in CLOUDS else "nbody")
    return {
        "model": (GRAPHS | CLOUDS)[model],
        "method": METHODS[method],
        "task": task,
        "training": training or {},
    }


QUICK = {
    "egnn, relaxed": {**case("egnn", "relaxed"), "epoch": True},
    "egnn, ace": {**case("egnn", "ace"), "epoch": True},
    "egnn, strict": case("egnn", "strict, rotated and mirrored"),
    "egnn, random": case("egnn", "random"),
    "egnn, root of sums": case("egnn", "root of sums"),
    "egnn, ace elastic": case("egnn", "ace elastic"),
    "egnn, unconstrained": case("egnn", "unconstrained"),
    "mocap, exact": case("egnn", "exact", "mocap"),
    "segnn, relaxed": case("segnn", "relaxed"),
    "vn_pointnet, relaxed": case("vn_pointnet", "relaxed"),
}
FURTHER = {
    **{f"egnn, {method}": case("egnn", method) for method in METHODS if f"egnn, {method}" not in QUICK},
    **{f"{task}, exact": case("egnn", "exact", task) for task in TASKS if task != "mocap"},
    **{
        f"{name}, relaxed": case("egnn", "relaxed", training=training) for name, training in TRAININGS.items()
    },
    **{
        f"{model}, {method}": case(model, method)
        for model in (*GRAPHS, *CLOUDS)
        for method in ("relaxed", "exact", "ace", "unconstrained")
        if f"{model}, {method}" not in QUICK and model != "egnn"
    },
}
CONTROLLER = {
    "controller": {
        "task": "nbody",
        "model": GRAPHS["egnn"],
        "method": {"name": "relaxed", "schedule": "trainables.relaxation.controllers:Stalling"},
        "step": 0,
    }
}
ORDER_OF_SAMPLES, NUMBERS = "copy: _to_copy from cpu to fake", "wait: tolist"


def noted(cases):
    """The faults of each case in a step, in the method's measures, and in an epoch."""
    ran = subprocess.run(
        [sys.executable, HERE / "accelerated_steps.py"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def quick():
    return noted(QUICK | CONTROLLER)


@pytest.fixture(scope="module")
def further():
    return noted(FURTHER)


@pytest.mark.parametrize("name", QUICK)
def test_a_step_stays_on_the_device(quick, name):
    assert quick[name]["step"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FURTHER)
def test_a_step_of_every_network_stays_on_the_device(further, name):
    assert further[name]["step"] == []


def test_an_epoch_waits_once(quick):
    """For its means, at its end; and once for all gammas of ACE."""
    assert quick["egnn, relaxed"]["epoch"] == [ORDER_OF_SAMPLES, NUMBERS]
    assert quick["egnn, relaxed"]["measures"] == []
    assert quick["egnn, ace"]["epoch"] == [ORDER_OF_SAMPLES, NUMBERS, NUMBERS]
    assert quick["egnn, ace elastic"]["measures"] == [NUMBERS]


def test_a_controller_waits_once_in_each_step(quick):
    assert quick["controller"]["step"] == [NUMBERS]


FAULTS = {
    "x.sum().item()": ["wait: _local_scalar_dense"],
    "bool(x.isnan().any())": ["wait: _local_scalar_dense"],
    "x.tolist()": ["wait: tolist"],
    "x[x > 0]": ["wait: index.Tensor decides a shape"],
    "x.nonzero()": ["wait: nonzero decides a shape"],
    "x.unique()": ["wait: _unique2 decides a shape"],
    "x.cpu()": ["copy: _to_copy from fake to cpu"],
    "torch.zeros(3).copy_(x)": ["copy: copy_ from fake to cpu"],
    "torch.ones(3).to(x)": ["copy: _to_copy from cpu to fake"],
    "x.copy_(torch.ones(3))": ["copy: copy_ from cpu to fake"],
    "x + torch.ones(3)": ["mix: add.Tensor"],
    "x[torch.tensor([0, 1])]": ["mix: index.Tensor"],
    "x + torch.tensor(1.0)": [],
    "2 * x.square().mean()": [],
    "torch.zeros(3, device=x.device)": [],
}


def test_each_kind_of_fault_is_noted():
    program = f"""
import json, torch
from fake_accelerator import register
accelerator, found = register(), {{}}
with accelerator:
    x = torch.ones(3, device=accelerator.device)
    for code in {list(FAULTS)!r}:
        with accelerator.watch() as noted:
            try:
                eval(code)
            except Exception:
                assert noted, code
        found[code] = noted
print(json.dumps(found))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == FAULTS
