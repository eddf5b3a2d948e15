"""A trial is a pure function of its spec, and its record says what happened."""

import copy
import math

import pytest
import torch
from every_method import METHODS

from trainables.errors import BadInput
from trainables.results.record import decode_record, encode_record
from trainables.spec import Failure, NotLearned
from trainables.symmetry import Symmetry
from trainables.tasks.anisotropy import of_training_data
from trainables.tasks.nbody import NBody
from trainables.tasks.task import size
from trainables.training.loop import run_trial
from trainables.training.run import start
from trainables.training.step import batches

CPU = torch.device("cpu")


def test_another_seed_gives_another_result(make_spec, task):
    first, _ = run_trial(make_spec(seed=0), task, CPU)
    second, _ = run_trial(make_spec(seed=1), task, CPU)
    assert first.val_metric != second.val_metric
    assert first.loss_at_init != second.loss_at_init


def test_relaxation_at_theta_zero_is_strict_training_bit_for_bit(make_spec, task):
    strict, strict_rows = run_trial(make_spec(), task, CPU)
    never = {"name": "relaxed", "schedule": "constant", "peak": 1e-300, "strict_phase": 0.25}
    # a peak that underflows in float32 leaves theta at exactly 0 on the device
    relaxed, rows = run_trial(make_spec(never), task, CPU)
    assert [row["val_metric"] for row in rows] == [row["val_metric"] for row in strict_rows]
    assert relaxed.loss_at_init == strict.loss_at_init


STARTS = [
    {"name": "relaxed", "init": 0.3},
    {"name": "ace", "companion": "mlp"},
    {"name": "ace", "form": "elastic", "init": 0.3},
    {"name": "unconstrained", "init": 0.3},
]


@pytest.mark.parametrize("method", STARTS, ids=lambda method: "-".join(map(str, method.values())))
def test_all_arms_of_a_seed_have_the_strict_networks_values_at_initialization(make_spec, task, method):
    strict, other = (start(make_spec(chosen), task, CPU, None).progress for chosen in (None, method))
    for name in ("loss_at_init", "train_loss_at_init", "metric_at_init"):
        assert getattr(other, name) == getattr(strict, name)
    assert other.params_train > strict.params_train


def test_the_errors_on_each_test_sample_have_the_metric_as_their_mean(make_spec, task):
    kept = {}
    record, _ = run_trial(make_spec(), task, CPU, keep=kept.update)
    assert list(kept) == ["mse"]
    assert kept["mse"].dtype == torch.float32
    assert len(kept["mse"]) == size(task.splits["test"])
    assert kept["mse"].mean().item() == pytest.approx(record.test_metric, rel=1e-5)


def test_a_training_that_ends_early_leaves_no_test_errors(make_spec, task):
    kept = {}
    record, _ = run_trial(make_spec(lr=1e8, optimizer="sgd"), task, CPU, keep=kept.update)
    assert record.test_metric is None
    assert kept == {}


def test_the_record_describes_the_whole_trial(make_spec, task):
    relaxed = {"name": "relaxed", "schedule": "triangle", "strict_phase": 0.25}
    spec = make_spec(relaxed, epochs=8, lr=3e-3)
    record, rows = run_trial(spec, task, CPU)
    assert record.id == spec.id
    assert (record.metric, record.metric_goal, record.trivial) == ("mse", "min", task.trivial)
    assert (record.epochs, record.steps) == (8, 40)
    assert record.params_train > record.params_final
    assert record.equivariance_error < 1e-10
    assert record.before_projection is not None
    assert record.test_metric is not None
    assert [row["step"] for row in rows] == [5 * (epoch + 1) for epoch in range(8)]
    assert rows[-1]["theta"] == 0.0
    assert max(row["theta"] for row in rows) > 0.5
    columns = {"epoch", "step", "theta", "train_loss", "val_metric", "grad_norm", "penalty"}
    assert columns | {"equivariance_error", "lr", "seconds"} <= set(rows[0])


@pytest.mark.parametrize("rotate", ["batch", "graph"])
def test_a_strict_network_is_trained_the_same_with_and_without_rotation(make_spec, task, rotate):
    options = {"rotate": rotate, "inversion": True}
    plain, turned = (
        run_trial(make_spec({"name": "strict", **chosen}, precision="float64", lr=3e-3), task, CPU)[0]
        for chosen in ({}, options)
    )
    assert turned.val_metric != plain.val_metric
    assert turned.val_metric == pytest.approx(plain.val_metric, rel=1e-9)
    assert turned.test_metric == pytest.approx(plain.test_metric, rel=1e-9)


def test_rotation_decides_what_a_relaxed_network_learns(make_spec, task):
    metrics = {
        rotate: run_trial(make_spec({"name": "relaxed", "rotate": rotate, "init": 0.1}, lr=3e-3), task, CPU)[
            0
        ].val_metric
        for rotate in ("none", "batch", "graph")
    }
    assert len(set(metrics.values())) == 3


def test_inversion_is_refused_if_the_targets_do_not_respect_it(make_spec, task):
    other = copy.copy(task)
    other.symmetry = Symmetry(inversion=False, translations=True)
    with pytest.raises(BadInput, match=r"method\.inversion: .* set it to false"):
        run_trial(make_spec({"name": "relaxed", "rotate": "graph", "inversion": True}), other, CPU)


def test_the_unconstrained_model_is_delivered_as_it_is_and_is_not_equivariant(make_spec, task):
    record, _ = run_trial(make_spec({"name": "unconstrained"}, lr=3e-3), task, CPU)
    assert record.params_final == record.params_train
    assert record.equivariance_error > 1e-6


@pytest.mark.parametrize("lr", [3.0, 1e4])
def test_a_training_that_explodes_fails_early_and_keeps_its_history(make_spec, task, lr):
    record, rows = run_trial(make_spec(lr=lr, epochs=30), task, CPU)
    assert record.outcome == "failed"
    assert record.reason in ("non_finite", "diverged")
    assert 1 <= len(rows) < 30
    assert record.epochs == len(rows)
    assert record.loss_at_init is not None


def test_a_training_that_does_not_beat_the_trivial_predictor_has_not_learned(make_spec, task):
    record, _ = run_trial(make_spec(lr=1e-8), task, CPU)
    assert (record.outcome, record.reason) == ("failed", "not_learned")
    assert record.test_metric is not None


@pytest.mark.parametrize("method", METHODS, ids=lambda method: "-".join(map(str, method.values())))
def test_nan_in_the_data_is_a_failure_that_is_named_and_can_be_written(make_spec, task, method):
    poisoned = copy.copy(task)
    train = {name: value.clone() for name, value in task.splits["train"].items()}
    train["targets"][3] = torch.nan
    poisoned.splits = {**task.splits, "train": train}
    record, _ = run_trial(make_spec(method=method), poisoned, CPU)
    assert (record.outcome, record.reason) == ("failed", "non_finite")
    assert decode_record(encode_record(record), record.id) == record


def test_selection_never_sees_the_test_set(make_spec, task):
    spoiled = copy.copy(task)
    test = {name: value.clone() for name, value in task.splits["test"].items()}
    test["targets"] += 100.0
    spoiled.splits = {**task.splits, "test": test}
    honest, rows = run_trial(make_spec(), task, CPU)
    record, spoiled_rows = run_trial(make_spec(), spoiled, CPU)
    assert record.test_metric > 1000 * honest.test_metric
    assert record.val_metric == honest.val_metric
    assert [row["val_metric"] for row in rows] == [row["val_metric"] for row in spoiled_rows]


OTHER_WAYS = [
    {"optimizer": "muon"},
    {"optimizer": "sgd"},
    {"clip": 0.1},
    {"lr_schedule": "cosine", "warmup": 0.2},
]
OTHER_WAYS += [{"precision": "float64"}, {"precision": "bfloat16"}]


@pytest.mark.parametrize("training", OTHER_WAYS, ids=str)
def test_other_ways_to_optimize_learn_too(make_spec, task, training):
    always = Failure(not_learned=NotLearned(margin=0.0))
    _, rows = run_trial(make_spec(failure=always, lr=1e-2, epochs=6, **training), task, CPU)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_clipping_changes_the_training(make_spec, task):
    plain, _ = run_trial(make_spec(optimizer="sgd", lr=1e-2), task, CPU)
    clipped, _ = run_trial(make_spec(optimizer="sgd", lr=1e-2, clip=1e-4), task, CPU)
    assert plain.val_metric != clipped.val_metric


def test_each_epoch_sees_every_sample_once_in_its_own_order(make_spec, task):
    run = start(make_spec(batch_size=10), task, CPU, None)
    first, second = (torch.cat(list(batches(run, epoch))) for epoch in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(40))
    assert first.tolist() != second.tolist()


class LogLikelihood(NBody):
    """Loss and metric go below 0 as the error falls."""

    metric = "nll"

    def __init__(self, splits):
        super().__init__(splits)
        self.trivial = 0.5 * math.log(self.trivial)

    def loss(self, prediction, split):
        return 0.5 * super().loss(prediction, split).log()

    def errors(self, prediction, split):
        return {"nll": 0.5 * super().errors(prediction, split)["mse"].log()}


class NegativeError(NBody):
    """The larger the better, and never above 0."""

    metric, metric_goal = "gain", "max"

    def __init__(self, splits):
        super().__init__(splits)
        self.trivial = -self.trivial

    def errors(self, prediction, split):
        return {"gain": -super().errors(prediction, split)["mse"]}


@pytest.mark.parametrize("kind", [LogLikelihood, NegativeError])
def test_losses_and_metrics_below_zero_are_judged_like_others(make_spec, task, kind):
    record, rows = run_trial(make_spec(lr=1e-2, epochs=12), kind(task.splits), CPU)
    assert len(rows) == 12
    assert rows[-1]["val_metric"] < 0
    assert (record.outcome, record.detail) == ("learned", "")
    record, _ = run_trial(make_spec(lr=1e-12, epochs=2), kind(task.splits), CPU)
    assert record.reason == "not_learned"


def test_the_record_says_how_anisotropic_the_training_data_are(make_spec, task):
    record, _ = run_trial(make_spec(epochs=1), task, torch.device("cpu"))
    assert record.anisotropy == of_training_data(task)
    assert 0 <= record.anisotropy["low"] <= record.anisotropy["auc"] <= record.anisotropy["high"] <= 1
