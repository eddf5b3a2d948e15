"""The progress of a run as shown: counts by arm, the best of each, and lines about lost workers."""

import io

import pytest
from rich.console import Console
from tests_support import changed

from study.config import resolve_config
from study.execution.news import Ended, News
from study.plan import plan
from study.progress import Progress
from trainables.results.record import Record

ARMS = {"strict": {"method": "strict"}, "triangle": {"method": "relaxed", "schedule": "triangle"}}


@pytest.fixture
def trials():
    return plan(resolve_config({**changed("grid", {"lr": [1e-3], "seed": 2}), "arms": ARMS}))


def shown(progress, console):
    console.print(progress.view())
    return console.file.getvalue()


def terminal():
    return Console(file=io.StringIO(), width=80)


def test_arms_are_counted_with_their_best(trials):
    console = terminal()
    done = Record(trials[0].id, {}, "learned", val_metric=0.5, metric_goal="min")
    progress = Progress(trials, {trials[0].id: done}, console)
    assert (trials[0].arm, trials[1].arm) == ("strict", "triangle")
    progress.update(
        News([Ended(trials[1].id, "failed", 9.0, "min"), Ended(trials[2].id, "learned", 0.25, "min")], 1)
    )
    lines = shown(progress, console).splitlines()
    rows = [line.split() for line in lines]
    assert ["strict", "2/2", "0", "0", "0.25"] in rows
    assert ["triangle", "1/2", "1", "0", "-"] in rows
    assert lines[-1].startswith("3/4 done (1 failed), 1 running, 0 waiting")


def test_the_best_is_the_largest_if_more_is_better(trials):
    progress = Progress(trials, {}, terminal())
    progress.update(
        News([Ended(trials[0].id, "learned", 0.6, "max"), Ended(trials[2].id, "learned", 0.5, "max")], 0)
    )
    assert progress.best == {"strict": 0.6}


def test_lost_workers_are_reported_in_one_line_for_each_reason(trials):
    console = terminal()
    Progress(trials, {}, console).update(News([], 2, ("killed", "killed", "node is gone")))
    assert console.file.getvalue().splitlines() == [
        "a worker was lost (killed); it will be replaced",
        "a worker was lost (node is gone); it will be replaced",
    ]
