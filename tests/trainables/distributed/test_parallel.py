"""Several processes give the result of one, and end together."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from e3nn.nn import BatchNorm
from torch import nn

from trainables import registry
from trainables.distributed.coupling import batch_norm, couple, dropout
from trainables.distributed.parallel import ProcessGroup, Team
from trainables.distributed.processes import ProcessFailed, in_processes
from trainables.errors import BadInput
from trainables.results.store import open_store
from trainables.spec import Failure, Training, TrialSpec
from trainables.training.checkpoint import checkpoint_path, encode_checkpoint
from trainables.training.loop import run_trial
from trainables.training.run import start
from trainables.training.step import batches, train_step
from trainables.training.streams import stream
from trainables.worker.attempt import TrialContext, attempt

CPU = torch.device("cpu")
NBODY = registry.resolve("task", {"name": "nbody", "train": 30, "val": 16, "test": 16})
CLOUDS = registry.resolve("task", {"name": "pointclouds", "points": 16, "train": 30, "val": 8, "test": 8})
EGNN = {"name": "egnn", "hidden": 8, "layers": 2}
SEGNN = {"name": "segnn", "hidden": 4, "layers": 2}
POINTNET = {"name": "pointnet", "width": 0.2}
SE3_TRANSFORMER = {"name": "se3_transformer", "channels": 4, "layers": 1, "heads": 2, "radial": 4}
CUT = {"name": "relaxed", "schedule": "constant", "strict_phase": 0.4}
FOLDED = {**CUT, "projection": "fold"}
FINGERPRINT = ("val_metric", "test_metric", "loss_at_init", "before_projection", "after_projection")
APART = ("seconds", "equivariance_error")  # a strict model's error is only rounding


def spec_of(task, model, method, **training):
    settings = {"lr": 1e-3, "batch_size": 7, "epochs": 2, "precision": "float64", **training}
    return TrialSpec(
        task=task,
        model=registry.resolve("model", model),
        method=registry.resolve("method", method),
        training=Training(**settings),
        failure=Failure(),
        seed=0,
    )


def fingerprint(record):
    return [number for name in FINGERPRINT if (number := getattr(record, name)) is not None]


def train(specs, folder, device, team):
    """The numbers of each trial: those of its record, and one list for each epoch."""
    torch.set_num_threads(1)
    numbers = []
    for spec in specs:
        record, rows = run_trial(spec, registry.build("task", spec.task, folder), device, team=team)
        epochs = [[value for name, value in row.items() if name not in APART] for row in rows]
        numbers.append([fingerprint(record), *epochs])
    return numbers


def assert_alike(specs, folder, count, tolerance):
    together = in_processes(count, CPU, train, specs, folder)
    for spec, found, expected in zip(
        specs, together, in_processes(1, CPU, train, specs, folder), strict=True
    ):
        for here, there in zip(found, expected, strict=True):
            assert here == pytest.approx(there, rel=tolerance, abs=1e-3 * tolerance), spec


def test_two_processes_give_the_result_of_one(data_folder):
    specs = [
        spec_of(NBODY, SE3_TRANSFORMER, FOLDED, clip=0.1),
        spec_of(NBODY, EGNN, {"name": "unconstrained", "inversion": True}, optimizer="sgd", batch_size=2),
        spec_of(CLOUDS, POINTNET, {"name": "strict"}),  # with batch-norm and dropout
    ]
    assert_alike(specs, data_folder, 2, 1e-9)


METHODS = [
    {"name": "strict"},
    {"name": "relaxed", "penalty": {"norm": 1.0, "lie": 1.0}},
    {**CUT, "lie_form": "exact", "penalty": {"norm": 1.0, "lie": 1.0}},
    {**CUT, "lie_form": "random", "companion": "feed_forward"},
    {"name": "ace", "strict_phase": 0.25},
    {"name": "ace", "form": "elastic"},
]


@pytest.mark.slow
def test_three_processes_with_uneven_shares_do_so_with_every_method(data_folder):
    specs = [spec_of(NBODY, SEGNN, method) for method in METHODS]
    assert_alike(specs, data_folder, 3, 1e-11)


@pytest.mark.slow
def test_two_processes_do_so_in_float32_up_to_rounding(data_folder):
    assert_alike(
        [spec_of(NBODY, EGNN, method, precision="float32") for method in METHODS], data_folder, 2, 1e-5
    )


def first_gradients(specs, folder, device, team):
    """The gradients of the first step; later steps amplify rounding in networks that batch-normalize lengths."""
    torch.set_num_threads(1)
    found = []
    for spec in specs:
        task = registry.build("task", spec.task, folder).with_dtype(torch.float64)
        run = start(spec, task, device, None, team)
        run.model.train()
        torch.manual_seed(0)
        train_step(run, next(batches(run, 0)), stream(0, "augmentation"))
        gradients = [parameter.grad for parameter in run.model.parameters() if parameter.grad is not None]
        found.append(torch.cat([gradient.flatten() for gradient in gradients]).numpy())
    return found


@pytest.mark.slow
def test_gradients_of_vector_neurons_match_those_of_the_whole_batch(data_folder):
    models = [{"name": "vn_pointnet", "width": 0.2}, {"name": "vn_dgcnn", "width": 0.2, "num_neighbors": 5}]
    specs = [spec_of(CLOUDS, model, method) for model in models for method in ({"name": "strict"}, CUT)]
    together, alone = (in_processes(count, CPU, first_gradients, specs, data_folder) for count in (2, 1))
    for found, expected in zip(together, alone, strict=True):
        assert abs(found - expected).max() < 1e-8 * abs(expected).max()


@pytest.mark.slow
def test_two_processes_resume_a_checkpoint_of_one(data_folder, tmp_path):
    spec = spec_of(NBODY, EGNN, CUT, epochs=4)
    task, states = registry.build("task", NBODY, data_folder), []
    undisturbed, _ = run_trial(
        spec, task, CPU, save=lambda state: states.append(encode_checkpoint(spec.id, state(), {}))
    )
    store = open_store(tmp_path)
    store.write(checkpoint_path(spec.id), states[0])
    record = attempt(spec, TrialContext(store, data_folder, CPU, processes=2))
    assert fingerprint(record) == pytest.approx(fingerprint(undisturbed), rel=1e-11)
    assert record.steps == undisturbed.steps
    assert record.seconds > undisturbed.seconds


def with_nan_targets(spec, folder, device, team):
    """The record of a trial in which the last process alone has NaN targets."""
    task = registry.build("task", spec.task, folder)
    if team.rank == team.count - 1:
        task.splits["train"]["targets"][:] = torch.nan
    return run_trial(spec, task, device, team=team)[0]


def fail_in_the_second(error, device, team):
    if team.rank == 1:
        raise error
    return team.sum(torch.ones(()))  # would wait forever


def die_in_the_second(device, team):
    if team.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return team.sum(torch.ones(()))


@pytest.mark.slow
def test_a_failure_of_one_process_ends_all_and_is_named(data_folder):
    record = in_processes(2, CPU, with_nan_targets, spec_of(NBODY, EGNN, CUT, batch_size=8), data_folder)
    assert (record.outcome, record.reason, record.epochs) == ("failed", "non_finite", 1)
    with pytest.raises(BadInput, match="theirs") as caught:
        in_processes(2, CPU, fail_in_the_second, BadInput("theirs"))
    assert "in fail_in_the_second" in str(caught.value.__cause__)
    with pytest.raises(ProcessFailed, match=r"process 1 .* exit code -9"):
        in_processes(2, CPU, die_in_the_second)
    small = spec_of(NBODY, EGNN, CUT, batch_size=1)
    with pytest.raises(BadInput, match=r"resources\.processes: 2 processes cannot share batches of 1;"):
        in_processes(2, CPU, train, [small], data_folder)
    assert multiprocessing.active_children() == []


HANGING = """
import os, time, torch
from trainables.distributed.processes import in_processes
from trainables.worker.conditions import Limits
from trainables.worker.watchdog import watched

def hang(device, team):
    open(f"{folder}/{{team.rank}}", "w").write(str(os.getpid()))
    kept = bytearray(400_000_000)
    if team.rank == 0:
        time.sleep(300)
    team.sum(torch.ones(()))

if __name__ == "__main__":
    with watched(Limits({limits}), lambda reason, detail: print(reason, flush=True)):
        in_processes(2, torch.device("cpu"), hang)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "reason"),
    [("seconds=25", "timeout"), ("memory_bytes=1e9", "out_of_memory"), ("", "")],
    ids=["time", "memory", "killed"],
)
def test_a_trial_that_is_ended_leaves_no_process(tmp_path, limits, reason):
    script = tmp_path / "hanging.py"
    script.write_text(HANGING.format(folder=tmp_path, limits=limits))
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    members = [tmp_path / "0", tmp_path / "1"]
    wait_until(lambda: all(path.is_file() and path.read_text() for path in members))
    if not reason:
        parent.kill()
    assert parent.communicate(timeout=60)[0].strip() == reason
    pids = [int(path.read_text()) for path in members]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("shape", [(12, 3), (12, 3, 5)])
def test_batch_norm_with_the_whole_batch_in_one_part_matches_torchs(shape, momentum):
    torch.manual_seed(0)
    theirs = nn.BatchNorm1d(3, momentum=momentum, dtype=torch.float64)
    ours = nn.BatchNorm1d(3, momentum=momentum, dtype=torch.float64)
    for layer in (theirs, ours):
        nn.init.constant_(layer.weight, 1.5)
        nn.init.constant_(layer.bias, -0.5)
    for _ in range(3):
        x = 2 + 3 * torch.randn(shape, dtype=torch.float64)
        torch.testing.assert_close(batch_norm(ours, 1.0, lambda values: values, x), theirs(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(batch_norm(ours, 1.0, None, x), theirs(x))


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout1d])
def test_dropout_of_the_parts_matches_that_of_the_whole_batch(kind):
    layer, x = kind(0.4), torch.randn(5 * 6, 4, 3)  # 5 samples of 6 rows
    torch.manual_seed(3)
    whole, parts = layer(x), []
    for rank in range(2):
        torch.manual_seed(3)
        part = ProcessGroup(rank, 2, CPU).part(5)
        parts.append(dropout(layer, part, 5, x[6 * part.start : 6 * part.stop]))
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=0)


def test_parts_cover_every_sample_once_and_differ_by_at_most_one():
    for count in (1, 2, 3, 7):
        parts = [list(range(10))[ProcessGroup(rank, count, CPU).part(10)] for rank in range(count)]
        assert [sample for part in parts for sample in part] == list(range(10))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert Team().part(10) == slice(0, 10)


def test_layers_with_other_batch_statistics_are_refused_by_name():
    model = nn.Sequential(nn.Linear(3, 3), BatchNorm("2x1o"), nn.InstanceNorm1d(3))
    with pytest.raises(BadInput, match=r"resources.processes: .* layer '1' \(BatchNorm\)"):
        couple(model, slice(0, 1), 2, None)
