"""A training in progress: built from a spec, or restored from the state of an interrupted one."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainables import registry
from trainables.distributed.parallel import Team
from trainables.errors import BadInput
from trainables.methods.method import Method
from trainables.spec import TrialSpec
from trainables.tasks.task import Task, select, size
from trainables.training import compiling, optimizers
from trainables.training.building import build_model
from trainables.training.evaluation import evaluate
from trainables.training.matrices import hidden_matrices
from trainables.training.progress import TrainingProgress
from trainables.training.streams import stream

PRECISIONS = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}

ALONE = Team()

State = dict[str, Any]
"""All that an unfinished trial needs to resume: tensors, numbers, strings, lists and dicts of them."""


@dataclass
class Run:
    """A training in progress.

    Attributes:
        trunk, companions: Optimizers of the strict parameters and of those that the method added; the latter end with
            the projection, before step `projection_step`.
        team: The processes that share each batch; they agree on all of the above except `device`.
    """

    spec: TrialSpec
    task: Task
    device: torch.device
    method: Method
    model: nn.Module
    trunk: list[torch.optim.Optimizer]
    companions: list[torch.optim.Optimizer]
    batch_size: int
    steps_per_epoch: int
    projection_step: int
    progress: TrainingProgress
    team: Team

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.spec.training.epochs

    @property
    def relaxed(self) -> bool:
        """Whether the model still contains what the method added."""
        return self.progress.step < self.projection_step or not self.method.delivers_strict

    @property
    def part(self) -> slice:
        """The samples of each batch that this process takes."""
        return self.team.part(self.batch_size)

    @property
    def share(self) -> float:
        """The share of the batch that this process takes, the weight of its means."""
        return (self.part.stop - self.part.start) / self.batch_size


def start(spec: TrialSpec, task: Task, device: torch.device, saved: State | None, team: Team = ALONE) -> Run:
    """The run of a spec at its first step, or where `saved` left it."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = spec.training.tf32
    train = task.splits["train"]
    batch_size = min(spec.training.batch_size, size(train))
    steps_per_epoch = size(train) // batch_size  # samples that do not fill a batch are left out of this epoch
    method: Method = registry.build("method", spec.method)
    if method.inversion and not task.symmetry.inversion:
        raise BadInput(
            "method.inversion: the targets of this task are not equivariant under inversion; set it to false"
        )
    if method.whole_batch and team.count > 1:
        raise BadInput(
            "method.penalty_form: a root of sums needs the whole batch in one process; set resources.processes to 1"
        )
    compiling.check_compilable(spec.training, task)
    method.symmetry = task.symmetry
    projection_step = method.projection_step(steps_per_epoch * spec.training.epochs)
    model = build_model(spec, task, PRECISIONS[spec.training.precision]).to(device)
    progress = at_init(model, task, team) if saved is None else TrainingProgress(**saved["progress"])
    model = method.relax(model, stream(spec.init_seed, "companions")).to(device)
    model = team.couple(model, batch_size)
    progress.params_train = sum(parameter.numel() for parameter in model.parameters())
    if projection_step <= progress.step:
        model = method.project(model)
    added = [] if projection_step <= progress.step else method.companion_parameters(model)
    added_ids = {id(parameter) for parameter in added}
    kept = [parameter for parameter in model.parameters() if id(parameter) not in added_ids]
    hidden = hidden_matrices(model)
    trunk = optimizers.build(spec.training, kept, hidden)
    companions = optimizers.build(spec.training, added, hidden)
    if saved is not None:
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(trunk + companions, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        method.load_state(saved.get("method", {}))
    if compiling.is_compiled(spec.training, task, steps_per_epoch * spec.training.epochs):
        compiling.compile_network(model)
    return Run(
        spec, task, device, method, model, trunk, companions,
        batch_size, steps_per_epoch, projection_step, progress, team,
    )  # fmt: skip


def at_init(strict: nn.Module, task: Task, team: Team) -> TrainingProgress:
    """The progress before the first step: the values of the strict network, so that all arms share their limits."""
    train = task.splits["train"]
    splits = (task.splits["val"], select(train, slice(0, task.evaluation_batch)))
    val, some_train = team.first(lambda: [evaluate(strict, task, split) for split in splits])
    return TrainingProgress(
        loss_at_init=val["loss"],
        train_loss_at_init=some_train["loss"],
        metric_at_init=val[task.metric],
        cpu_seconds=0.0,
    )


def state_of(run: Run) -> State:
    """The state that `start` needs to resume from here."""
    return {
        "progress": {name: getattr(run.progress, name) for name in TrainingProgress.__dataclass_fields__},
        "model": run.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in run.trunk + run.companions],
        "method": run.method.state(),
    }
