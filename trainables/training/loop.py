"""One trial in plain PyTorch: from a TrialSpec and its loaded task to a record and a history.

`run_trial` knows nothing of Ray, files or clusters: what must survive an interruption goes out through `save`
and comes back as `saved`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainables import registry
from trainables.distributed.parallel import Alone
from trainables.errors import BadInput
from trainables.methods.method import Method
from trainables.relaxation.summary import check_called
from trainables.results.record import Record
from trainables.spec import TrialSpec
from trainables.symmetry import rotate_graph
from trainables.tasks.anisotropy import of_training_data
from trainables.tasks.task import Task, select, size
from trainables.training import optimizers
from trainables.training.building import build_model
from trainables.training.delivery import deliver
from trainables.training.equivariance import history_error
from trainables.training.evaluation import Errors, evaluate, pass_over
from trainables.training.matrices import hidden_matrices
from trainables.training.outcome import better, failed_during_training
from trainables.training.progress import Progress
from trainables.training.streams import stream, stream_seed

PRECISIONS = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}

ALONE = Alone()

State = dict[str, Any]
"""All that an unfinished trial needs to go on: tensors, numbers, strings, lists and dicts of them."""


@dataclass
class Run:
    """A training under way.

    trunk, companions: optimizers of the strict parameters and of those that the method added; the latter
        end with the projection, before step `projection_step`
    team: the processes that share each batch; they agree on all of the above but `device`
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
    progress: Progress
    team: Alone

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.spec.training.epochs

    @property
    def relaxed(self) -> bool:
        """Whether the method still has its hands on the model."""
        return self.progress.step < self.projection_step or not self.method.delivers_strict

    @property
    def part(self) -> slice:
        """The samples of each batch that this process takes."""
        return self.team.part(self.batch_size)

    @property
    def share(self) -> float:
        """The weight of their means in those of the batch."""
        return (self.part.stop - self.part.start) / self.batch_size


def run_trial(
    spec: TrialSpec,
    task: Task,
    device: torch.device,
    saved: State | None = None,
    save: Callable[[Callable[[], State]], None] = lambda state: None,
    team: Alone = ALONE,
    keep: Callable[[Errors], None] = pass_over,
    report: Callable[[dict[str, float]], None] = lambda row: None,
) -> tuple[Record, list[dict[str, float]]]:
    """Train, project and test one trial; returns its record and its history, one row per epoch.

    saved: the state of an interrupted run of the same spec, to go on from
    save: called after each epoch with a function that makes the state; it decides whether to keep one
    team: the processes that train together; each calls this, and the first alone validates, saves and tests
    keep: called once with the errors on each test sample, where the model was tested at all
    report: called with the row of each epoch
    The same spec gives the same bits on a CPU, interrupted or not (times apart), and the same numbers up to
    rounding for any number of processes.
    """
    started = time.perf_counter()
    loaded, task = task, task.with_dtype(PRECISIONS[spec.training.precision])
    run = start(spec, task, device, saved, team)
    progress, earlier_seconds = run.progress, run.progress.seconds
    verdict = None
    for epoch in range(len(progress.rows), spec.training.epochs):
        row = train_epoch(run, epoch)
        progress.rows.append(row)
        progress.seconds = earlier_seconds + time.perf_counter() - started
        remember_delivered(run, row)
        team.first(lambda: report(progress.rows[-1]))
        verdict = failed_during_training(row, progress.train_loss_at_init, spec.failure, task.loss_ideal)
        if verdict is not None:
            break
        team.first(lambda: save(lambda: state_of(run)))

    def finish() -> Record:
        record = deliver(spec, task, run.method, run.model, progress, verdict, keep)
        return replace(record, anisotropy=of_training_data(loaded))

    return team.first(finish), progress.rows


def start(spec: TrialSpec, task: Task, device: torch.device, saved: State | None, team: Alone = ALONE) -> Run:
    """The run of a spec at its first step, or where `saved` left it."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = spec.training.tf32
    train = task.splits["train"]
    batch_size = min(spec.training.batch_size, size(train))
    steps_per_epoch = size(train) // batch_size  # what does not fill a batch waits for the next shuffle
    method: Method = registry.build("method", spec.method)
    if method.inversion and not task.symmetry.inversion:
        raise BadInput(
            "method.inversion: the targets of this task change under inversion in a way of their own; set it to false"
        )
    if method.whole_batch and team.count > 1:
        raise BadInput(
            "method.penalty_form: a root of sums needs the whole batch in one process; set resources.processes to 1"
        )
    method.symmetry = task.symmetry
    projection_step = method.projection_step(steps_per_epoch * spec.training.epochs)
    model = build_model(spec, task, PRECISIONS[spec.training.precision])
    model = method.relax(model, stream(spec.init_seed, "companions")).to(device)
    model = team.couple(model, batch_size)
    if saved is None:
        splits = (task.splits["val"], select(train, slice(0, task.evaluation_batch)))
        val, some_train = team.first(lambda: [evaluate(model, task, split) for split in splits])
        progress = Progress(
            loss_at_init=val["loss"],
            train_loss_at_init=some_train["loss"],
            metric_at_init=val[task.metric],
            params_train=sum(parameter.numel() for parameter in model.parameters()),
        )
    else:
        progress = Progress(**saved["progress"])
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
    if spec.training.compile:
        # A worker trains one model after another; what was compiled for the last ones counts against Dynamo's limit,
        # beyond which it runs the next one uncompiled without a word.
        torch.compiler.reset()
        model.compile()
    return Run(
        spec, task, device, method, model, trunk, companions,
        batch_size, steps_per_epoch, projection_step, progress, team,
    )  # fmt: skip


def train_epoch(run: Run, epoch: int) -> dict[str, float]:
    """Train one epoch, validate, and return its history row. The host waits for the device once."""
    started = time.perf_counter()
    run.model.train()
    torch.manual_seed(stream_seed(run.spec.seed, "dropout", epoch))
    augmentation = stream(run.spec.seed, "augmentation", epoch, run.device)
    sums = torch.zeros(3, device=run.device, dtype=torch.float64)
    for index in batches(run, epoch):
        for total, value in zip(sums, train_step(run, index, augmentation), strict=True):
            total += value
        run.progress.step += 1
        if run.progress.step == 1:
            run.progress.relaxed_layers = check_called(run.model)
        if run.progress.step % run.steps_per_epoch == 0:  # a projection takes gradients away
            gradient_norm = norm(parameter.grad for parameter in run.model.parameters())
        if run.progress.step == run.projection_step:
            project(run)
    means = run.team.sum(run.share * sums) / run.steps_per_epoch
    norms = torch.stack([gradient_norm, norm(run.model.parameters())])
    numbers = torch.cat([means, norms]).tolist()
    return run.team.first(lambda: history_row(run, epoch, numbers, started))


def history_row(run: Run, epoch: int, numbers: list[float], started: float) -> dict[str, float]:
    """The row of an epoch; validates where it is time to, and lacks those columns otherwise.

    numbers: training's loss, penalty and theta, each the mean over the epoch, its last gradient's norm, and that
        of the parameters
    """
    train_loss, penalty, theta_mean, gradient_norm, parameter_norm = numbers
    return {
        "epoch": epoch,
        "step": run.progress.step,
        "train_loss": train_loss,
        **(validate(run) if validated(run.spec, epoch) else {}),
        "grad_norm": gradient_norm,
        "parameter_norm": parameter_norm,
        "penalty": penalty,
        "theta_mean": theta_mean,
        "lr": run.trunk[0].param_groups[0]["lr"],
        **run.method.measures(run.model),
        "seconds": time.perf_counter() - started,
    }


def validated(spec: TrialSpec, epoch: int) -> bool:
    """Whether an epoch, counted from 0, ends with validation: each `validate_every`-th and the last."""
    return (epoch + 1) % spec.training.validate_every == 0 or epoch + 1 == spec.training.epochs


def validate(run: Run) -> dict[str, float]:
    """Loss and metric on validation, of a model that is still to be projected those of the projected one too, and
    the equivariance error of the model in training."""
    validation = evaluate(run.model, run.task, run.task.splits["val"])
    columns = {"val_loss": validation["loss"], "val_metric": validation[run.task.metric]}
    columns["equivariance_error"] = history_error(run.model, run.task)
    if run.projection_step > 0 and run.method.delivers_strict:
        if run.relaxed:
            with run.method.delivered(run.model) as model:
                validation = evaluate(model, run.task, run.task.splits["val"])
        columns |= {
            "projected_val_loss": validation["loss"],
            "projected_val_metric": validation[run.task.metric],
        }
    return columns


def batches(run: Run, epoch: int) -> Iterator[Tensor]:
    """The indices of each batch of an epoch, in an order of the seed's own."""
    train = run.task.splits["train"]
    order = torch.randperm(size(train), generator=stream(run.spec.order_seed, "order", epoch)).to(run.device)
    for first in range(0, run.steps_per_epoch * run.batch_size, run.batch_size):
        yield order[first : first + run.batch_size]


def train_step(
    run: Run, index: Tensor, augmentation: torch.Generator
) -> tuple[Tensor, Tensor | float, Tensor | float]:
    """One step on the samples at `index`; returns the loss and the penalty of this process's part of them, and
    theta, detached, on the device."""
    training, step, every_optimizer = run.spec.training, run.progress.step, run.trunk + run.companions
    rate = training.lr * optimizers.learning_rate_factor(training, step, run.steps)
    for group in (group for optimizer in every_optimizer for group in optimizer.param_groups):
        group["lr"] = rate * group.get("lr_factor", 1.0)
    theta: Tensor | float = 0.0
    if run.relaxed:
        run.method.begin_step(run.model, step, run.steps)
        theta = run.method.theta_now(run.model)
    # All processes draw for the whole batch, and take their own part of what was drawn.
    batch = run.task.augment(select(run.task.splits["train"], index), augmentation)
    batch = select(batch, run.part)
    graph = run.task.graph(batch)
    matrices = run.method.augmentation(len(index), augmentation)
    if matrices is not None:
        matrices = matrices[run.part]
        graph, batch = rotate_graph(graph, matrices), run.task.rotate_targets(batch, matrices)
    with torch.autocast(run.device.type, torch.bfloat16, enabled=training.precision == "bfloat16"):
        loss = run.task.loss(run.task.predict(run.model, graph), batch)
        penalty = run.method.penalty(run.model) if run.relaxed else None
    watched = run.method.watched(run.model) if run.relaxed else None
    for optimizer in every_optimizer:
        optimizer.zero_grad()
    (run.share * (loss if penalty is None else loss + penalty)).backward()
    run.team.sum_gradients(run.model.parameters())
    if training.clip is not None:
        trunk_groups = [group for optimizer in run.trunk for group in optimizer.param_groups]
        clipped = [parameter for group in trunk_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(clipped, training.clip)
    for optimizer in every_optimizer:
        optimizer.step()
    if run.relaxed:
        run.method.end_step(run.model)
    if watched is not None:
        seen = run.team.sum(run.share * torch.cat([loss.detach().view(1), watched]).double()).tolist()
        run.method.observe(run.model, seen[0], seen[1:])
    return loss.detach(), 0.0 if penalty is None else penalty.detach(), theta


def project(run: Run) -> None:
    """Put the strict model in the relaxed one's place, with the validation metric before and after."""
    if run.method.delivers_strict:
        run.progress.constraint_at_projection = run.method.measures(run.model)["theta"]
    run.progress.before_projection = run.team.first(lambda: validation_metric(run))
    run.model = run.method.project(run.model)
    run.progress.after_projection = run.team.first(lambda: validation_metric(run))
    run.companions = []
    run.model.train()


def validation_metric(run: Run) -> float:
    """The judged number of the model as it is."""
    return evaluate(run.model, run.task, run.task.splits["val"])[run.task.metric]


def remember_delivered(run: Run, row: dict[str, float]) -> None:
    """Keep the model that would be delivered now where it is the best so far, or where the last is asked for.

    One rule for every arm: all validated epochs are candidates, each with the model that would be delivered after it.
    """
    if "val_metric" not in row:
        return
    metric, loss = (row.get(f"projected_{name}", row[name]) for name in ("val_metric", "val_loss"))
    best = run.progress.best.get("val_metric")
    if run.spec.training.select == "last" or better(metric, best, run.task.metric_goal):
        with run.method.delivered(run.model) as model:
            state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        numbers = {"epoch": row["epoch"], "val_metric": metric, "val_loss": loss}
        run.progress.best = {**numbers, "state": state}


def state_of(run: Run) -> State:
    """What `start` needs to go on from here."""
    return {
        "progress": {name: getattr(run.progress, name) for name in Progress.__dataclass_fields__},
        "model": run.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in run.trunk + run.companions],
        "method": run.method.state(),
    }


def norm(tensors: Iterator[Tensor | None]) -> Tensor:
    """The Euclidean norm of all entries of all tensors, on the device."""
    norms = torch._foreach_norm([tensor.detach() for tensor in tensors if tensor is not None])
    return torch.stack(norms).norm().double()
