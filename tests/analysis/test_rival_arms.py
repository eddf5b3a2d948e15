"""An arm's own training settings belong to the arm: they make no new case and allow pairing with the control."""

import pytest

from analysis.prepare import controls, first_round, prepare
from analysis.statistics.paired import paired_failures
from analysis.tables import make_tables
from analysis.trial_table import trial_table
from trainables.results.record import Record


def entry(arm, lr, seed, warmup=0.0, optimizer="adam", round=1, **method):
    """A trial of plan.json."""
    training = {"lr": lr, "warmup": 0.0, "optimizer": optimizer}
    spec = {
        "task": {"name": "nbody"},
        "model": {"name": "egnn"},
        "method": {"name": "relaxed" if arm == "triangle" else "strict", **method},
        "training": {**training, "warmup": warmup},
        "seed": seed,
    }
    more = {} if warmup == 0 else {"shared": {"training": training}}
    later = {} if round == 1 else {"round": round}
    return {"id": f"{arm}-{lr}-{seed}-{warmup}-{optimizer}", "arm": arm, "spec": spec, **more, **later}


def table(entries, control=None, failed=()):
    numbers = {"val_metric": 0.1, "val_loss": 0.1, "test_metric": 0.1, "loss_at_init": 1.0, "trivial": 0.9}
    records = {
        one["id"]: Record(
            one["id"],
            one["spec"],
            "failed" if one["id"] in failed else "learned",
            metric_goal="min",
            **numbers,
        )
        for one in entries
    }
    return prepare(trial_table(entries, "study", records, control))


def both_arms(**more):
    return [
        entry(arm, lr, seed, warmup, **more)
        for lr in (1e-3, 1e-2)
        for seed in range(3)
        for arm, warmup in (("warmup", 0.1), ("strict", 0.0))
    ]


def test_an_arm_that_trains_differently_is_paired_with_the_control():
    trials = table(both_arms(), failed={"strict-0.01-0-0.0-adam"})
    assert trials["case"].nunique() == 1
    assert set(trials["arm"]) == {"warmup", "strict"}
    assert controls(trials) == {trials["case"].iloc[0]: "strict"}
    (row,) = paired_failures(trials, "strict").itertuples()
    assert (row.arm, row.pairs, row.only_control) == ("warmup", 6, 1)


def test_an_axis_of_all_arms_is_still_a_case():
    trials = table(both_arms() + both_arms(optimizer="sgd"))
    assert trials["case"].nunique() == 2
    assert set(controls(trials).values()) == {"strict"}
    for _, mine in trials.groupby("case"):
        assert paired_failures(mine, "strict")["pairs"].tolist() == [6]


def test_an_arms_own_axis_makes_arms_that_share_one_control():
    more = [entry("warmup", lr, seed, 0.3) for lr in (1e-3, 1e-2) for seed in range(3)]
    trials = table(both_arms() + more)
    names = {"strict", "warmup (training.warmup=0.1)", "warmup (training.warmup=0.3)"}
    assert set(trials["arm"]) == names
    assert paired_failures(trials, "strict")["pairs"].tolist() == [6, 6]


def test_the_named_control_is_the_control():
    assert set(controls(table(both_arms(), control="warmup")).values()) == {"warmup"}


def test_statements_about_the_grid_leave_out_later_rounds():
    grid = both_arms()
    later = [
        entry(arm, 5e-3, seed, w, round=2)
        for seed in range(3)
        for arm, w in (("strict", 0.0), ("warmup", 0.1))
    ]
    trials = table(grid + later, failed={one["id"] for one in later})
    assert len(first_round(trials)) == 12
    tables = make_tables(trials)
    assert tables["failure_rates"].frame["n"].tolist() == [6, 6]
    assert "For the grid alone" in tables["failure_rates"].caption
    assert set(tables["rounds"].frame["later"]) == {3}
    assert tables["rounds"].texts()[0][1:3] == ["2", "9 (3)"]
    unrefined = make_tables(table(grid))
    assert "rounds" not in unrefined
    assert "For the grid alone" not in unrefined["failure_rates"].caption


def test_seeds_of_one_stream_make_replicates_and_factors():
    entries = []
    for init in range(3):
        for order in range(3):
            for arm in ("strict", "triangle"):
                one = entry(arm, 1e-3, 0)
                one["spec"] = {**one["spec"], "seeds": {"init": init, "order": order}}
                entries.append({**one, "id": f"{arm}-{init}-{order}"})
    trials = table(entries)
    assert trials["seed"].nunique() == 9
    trials["loss"] = 10.0 ** trials["seeds.init"].astype(float) + 1e-3 * trials["seed"]
    shares = make_tables(trials)["variance_shares"].frame.set_index("factor")["share"]
    assert shares["initialization"] > 0.99
    assert shares["data order"] == pytest.approx(0, abs=0.01)
