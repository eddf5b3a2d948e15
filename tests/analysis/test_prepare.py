"""The table prepared for statistics: what counts as a trial, a case and an arm."""

import numpy as np
import pandas as pd

from analysis.prepare import controls, name_cases, prepare


def test_failed_trials_count_and_crashed_do_not():
    base = {
        "task": "nbody",
        "model": "egnn",
        "arm": "strict",
        "method": "strict",
        "metric_goal": "min",
        "metric": "mse",
    }
    rows = [
        {"outcome": "learned", "val_loss": 0.2, "val_metric": 0.2, "test_metric": 0.3, "spec": "a"},
        {"outcome": "learned", "val_loss": 5.0, "val_metric": 5.0, "test_metric": 5.5, "spec": "b"},
        {"outcome": "failed", "val_loss": np.nan, "val_metric": np.nan, "test_metric": np.nan, "spec": "c"},
        {"outcome": "crashed", "spec": "d"},
        {"outcome": "learned", "val_loss": 0.2, "val_metric": 0.2, "test_metric": 0.3, "spec": "a"},
    ]
    trials = prepare(
        pd.DataFrame(rows).assign(**base, lr=0.1, seed=0, loss_at_init=1.0, trivial=0.9, pair="p")
    )
    assert list(trials["loss"]) == [0.2, 1.0, 1.0]
    assert list(trials["score"]) == [0.3, 5.5, 1.0]
    assert list(trials["failed"]) == [False, False, True]


def test_cases_and_arms_are_distinguished():
    base = {
        "task": "nbody",
        "model": "egnn",
        "metric_goal": "min",
        "metric": "mse",
        "outcome": "learned",
        "lr": 0.1,
    }
    rows = [
        {"arm": "strict", "method": "strict", "training.optimizer": "adam", "spec": "a"},
        {"arm": "strict", "method": "strict", "training.optimizer": "sgd", "spec": "b"},
        {"arm": "relaxed", "method": "relaxed", "method.lie": 0.1, "training.optimizer": "adam", "spec": "c"},
        {"arm": "relaxed", "method": "relaxed", "method.lie": 0.2, "training.optimizer": "adam", "spec": "d"},
    ]
    numbers = dict.fromkeys(["val_loss", "val_metric", "test_metric", "loss_at_init", "trivial"], 1.0)
    trials = prepare(pd.DataFrame(rows).assign(**base, **numbers, seed=0))
    assert trials["case"].nunique() == 2
    assert trials["case"].str.contains("optimizer=sgd").sum() == 1
    assert set(trials["arm"]) == {"strict", "relaxed (method.lie=0.1)", "relaxed (method.lie=0.2)"}
    assert set(controls(trials).values()) == {"strict"}


def test_the_edition_of_an_optimizer_separates_cases_only_if_an_optimizer_has_two():
    base = {"task": "nbody", "model": "egnn", "method": "strict", "arm": "strict", "lr": 0.1, "seed": 0}
    rows = [
        {"training.optimizer": "adam", "spec": "a"},
        {"training.optimizer": "muon", "training.optimizer_revision": 2, "spec": "b"},
    ]
    cases = name_cases(pd.DataFrame(rows).assign(**base))["case"]
    assert list(cases) == [f"nbody · egnn, training.optimizer={name}" for name in ("adam", "muon")]
    rows.append({"training.optimizer": "muon", "spec": "c"})
    cases = name_cases(pd.DataFrame(rows).assign(**base))["case"]
    assert cases.nunique() == 3
    assert cases[1].endswith("training.optimizer=muon, training.optimizer_revision=2")


def test_the_edition_of_a_single_optimizer_is_not_shown():
    base = {"task": "nbody", "model": "egnn", "method": "strict", "arm": "strict", "lr": 0.1, "seed": 0}
    rows = [{"training.optimizer": "muon", "training.optimizer_revision": 2, "spec": spec} for spec in "ab"]
    assert set(name_cases(pd.DataFrame(rows).assign(**base))["case"]) == {"nbody · egnn"}
