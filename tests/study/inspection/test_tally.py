"""The tally of each arm, as `study status` shows it."""

import pytest

from study.inspection.tally import LONGEST_NAME, arms_as_json, arms_table, tally_of_arms
from trainables.results.record import Record


def entry(number, arm, lr):
    return {"id": f"{number:016x}", "arm": arm, "spec": {"training": {"lr": lr}}}


def record(number, outcome, reason=None, **numbers):
    return Record(id=f"{number:016x}", spec={}, outcome=outcome, reason=reason, **numbers)


PLAN = [
    *(entry(number, "strict", lr) for number, lr in enumerate([1e-3, 1e-3, 1e-2, 1e-2])),
    *(entry(number, "triangle", lr) for number, lr in enumerate([1e-3, 1e-2], start=4)),
]
RECORDS = [
    record(0, "learned", metric_goal="min", val_metric=0.2),
    record(1, "learned", metric_goal="min", val_metric=0.1),
    record(2, "failed", "diverged", metric_goal="min", val_metric=0.01),
    record(5, "crashed", "timeout"),
]


@pytest.fixture
def records():
    return {one.id: one for one in RECORDS}


def test_each_arm_has_its_counts_reasons_and_best_trial(records):
    found = arms_as_json(PLAN, records)
    assert list(found) == ["strict", "triangle"]
    strict = found["strict"]
    assert {name: strict[name] for name in ("planned", "learned", "failed", "crashed", "missing")} == {
        "planned": 4, "learned": 2, "failed": 1, "crashed": 0, "missing": 1,
    }  # fmt: skip
    assert strict["reasons"] == {"diverged": 1}
    assert strict["best"] == {"trial": f"{1:016x}", "val_metric": 0.1}
    assert strict["lr"]["0.01"] == {"planned": 2, "learned": 0, "failed": 1, "crashed": 0, "missing": 1}
    assert found["triangle"]["best"] is None
    assert found["triangle"]["reasons"] == {"timeout": 1}


def test_the_best_of_an_accuracy_is_the_largest():
    records = [record(n, "learned", metric_goal="max", val_metric=n / 10) for n in range(2)]
    (best,) = (one.best for one in tally_of_arms(PLAN[:4], {one.id: one for one in records}).values())
    assert best.val_metric == 0.1


def test_the_table_has_a_line_for_each_arm_and_one_for_its_reasons(records):
    assert arms_table(tally_of_arms(PLAN, records)) == [
        "arm       planned learned failed crashed missing  best",
        "strict          4       2      1       0       1  0.1",
        "          1 diverged",
        "triangle        2       0      0       1       1  -",
        "          1 timeout",
    ]


@pytest.mark.parametrize("name", ["x" * 200, "two\nlines\tand\x1b[31m colors", "", "équivariant"])
def test_any_name_fits_its_line_of_80_columns(name, records):
    lines = arms_table(tally_of_arms([entry(0, name, 1e-3)], records))
    assert len(lines) == 2
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    assert len(lines[1].split("  ")[0]) <= LONGEST_NAME


def test_a_plan_of_the_first_edition_without_arms_or_settings_is_shown():
    found = arms_as_json([{"id": "a"}, {"id": "b", "spec": {"training": 3}}], {})
    assert found["unnamed"]["lr"] == {
        "unknown": {"planned": 2, "learned": 0, "failed": 0, "crashed": 0, "missing": 2}
    }
