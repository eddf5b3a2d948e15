"""Simulated results folders, written through the same code as real ones."""

import hashlib
import json
import math

import numpy as np
import yaml

from trainables.results.record import Record, write_outcome
from trainables.results.store import LocalStore

ARMS = {
    "strict": {"name": "strict"},
    "triangle": {"name": "relaxed", "schedule": "triangle", "penalty": {"lie": 0.01, "norm": 0.01}},
    "cosine": {"name": "relaxed", "schedule": "cosine", "penalty": {"lie": 0.01, "norm": 0.01}},
    "ace": {"name": "ace", "dual_lr": 8e-4},
}
RATES = [float(f"{rate:.4g}") for rate in np.logspace(-4, -1, 7)]
REASONS = ("non_finite", "diverged", "not_learned", "collapsed")


def simulate(
    arms=ARMS,
    rates=RATES,
    seeds=5,
    model="egnn",
    task="nbody",
    goal="min",
    epochs=12,
    crashed=0,
    missing=0,
    outcome=None,
    salt=0,
):
    """Plan, records and histories of a study whose high learning rates fail, those of the strict arm first."""
    random = np.random.default_rng([salt, seeds, len(rates), *model.encode(), *task.encode()])
    plan, records, histories = [], [], []
    for number, (arm, method) in enumerate(arms.items()):
        for rate in rates:
            for seed in range(seeds):
                spec = {
                    "task": {"name": task, "train": 3000, "val": 2000, "test": 2000, "seed": 43},
                    "model": {"name": model, "hidden": 64, "layers": 4},
                    "method": method,
                    "training": {"optimizer": "adam", "lr": rate, "batch_size": 100, "epochs": epochs},
                    "failure": {"not_learned": {"margin": 0.05}, "diverged": {"factor": 10.0}},
                    "seed": seed,
                }
                trial = hashlib.sha256(json.dumps([spec, salt], sort_keys=True).encode()).hexdigest()[:16]
                plan.append({"id": trial, "arm": arm, "spec": spec})
                position = math.log10(rate)
                chance = 1 / (1 + math.exp(-6 * (position + 1.75 - 0.15 * min(number, 2))))
                failed = bool(random.random() < chance)
                loss = (
                    0.012
                    * 10 ** (0.35 * (position + 2.5) ** 2)
                    * math.exp(random.normal(0, 0.12))
                    * 0.93**number
                )
                reason = REASONS[int(random.integers(4))] if failed else None
                rows = history(random, epochs, rate, loss, reason, method)
                record = Record(
                    id=trial,
                    spec=spec,
                    outcome="failed" if failed else "learned",
                    reason=reason,
                    detail=f"{reason} in epoch 3" if failed else "",
                    metric="position_mse" if goal == "min" else "accuracy",
                    metric_goal=goal,
                    val_metric=None if failed else (loss if goal == "min" else 1 - 5 * loss),
                    val_loss=None if failed else loss,
                    test_metric=None if failed else (loss * 1.03 if goal == "min" else 1 - 5.2 * loss),
                    tests={} if failed else {"test_far": loss * 2},
                    trivial=0.101 if goal == "min" else 0.1,
                    loss_at_init=0.11,
                    before_projection=None if failed else loss * 0.98,
                    after_projection=None if failed else loss * 1.02,
                    equivariance_error=None if failed else 10 ** float(random.uniform(-15, -13)),
                    best_epoch=None if failed else epochs - 1,
                    epochs=len(rows),
                    steps=30 * len(rows),
                    params_train=134_020 + 60_000 * (number > 0),
                    params_final=134_020,
                    seconds=3.0 + 2 * (number > 0) + float(random.random()),
                    device="cpu",
                    versions={"python": "3.11.2", "torch": "2.13.0"},
                )
                records.append(record)
                histories.append(rows)
    if outcome is not None:
        cause = {"failed": "diverged", "crashed": "out_of_memory"}[outcome]
        records = [Record(id=r.id, spec=r.spec, outcome=outcome, reason=cause, detail=cause) for r in records]
        histories = [[] if outcome == "crashed" else rows for rows in histories]
    for index in range(crashed):
        record = records[3 * index]
        records[3 * index] = Record(
            id=record.id, spec=record.spec, outcome="crashed", reason="out_of_memory", detail="MemoryError"
        )
    kept = len(records) - missing
    return plan, records[:kept], histories[:kept]


def history(random, epochs, rate, loss, reason, method):
    """Rows whose loss falls from its initial to its final value, or blows up."""
    rows = []
    last = epochs if reason in (None, "not_learned", "collapsed") else 4
    noise = np.exp(random.normal(0, 0.05, last))
    for epoch in range(last):
        share = epoch / max(epochs - 1, 1)
        value = (loss + (0.11 - loss) * math.exp(-5 * share)) * noise[epoch]
        if reason == "not_learned":
            value = 0.11 * noise[epoch]
        elif reason is not None and epoch > 1:
            value = float("nan") if reason == "non_finite" and epoch == last - 1 else 0.11 * 5**epoch
        theta = 0.0 if method["name"] == "strict" else max(0.0, 1 - abs(2 * share / 0.9 - 1))
        rows.append(
            {
                "epoch": epoch,
                "step": 30 * (epoch + 1),
                "theta": theta,
                "train_loss": value,
                "val_loss": value,
                "val_metric": value,
                "grad_norm": 1.0,
                "penalty": 0.01 * theta,
                "equivariance_error": 1e-7 + 0.3 * theta,
                "lr": rate,
                "seconds": 0.3,
            }
        )
    return rows


def write_study(folder, plan, records, histories, name="simulated", config=None):
    """A results folder of simulated trials; returns the folder."""
    store = LocalStore(folder)
    store.write("study.yaml", yaml.safe_dump(config or {"name": name, "grid": {"seed": 5}}).encode())
    store.write("plan.json", json.dumps(plan).encode())
    for record, rows in zip(records, histories, strict=True):
        write_outcome(store, record, rows, sample_errors(record))
    return folder


def sample_errors(record, samples=50):
    """Test errors whose mean is the record's; the samples differ in the same way in all trials."""
    if record.test_metric is None:
        return None
    sizes = np.random.default_rng(0).exponential(size=samples)
    own = np.random.default_rng(int(record.id[:8], 16)).normal(1, 0.1, samples)
    return {record.metric: record.test_metric * sizes * own / np.mean(sizes * own)}
