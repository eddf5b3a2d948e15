"""A refined run that is killed at random ends with the trials, rounds and table of an undisturbed one."""

import json
import random
import shutil
import time
from signal import SIGKILL, SIGTERM

import pytest
from real_run import CONTENT, RUN_SECONDS, assert_same_tables, undisturbed, wait_until

STOPPED = 130
GRID, BUDGET, MORE = 8, 24, 32
REFINED = {
    **CONTENT,
    "grid": {"lr": [3e-2, 1e3], "seed": 2},
    "refine": {"edge": 0.05, "budget": BUDGET},
}
EXTENDED = {**REFINED, "refine": {"edge": 0.05, "budget": MORE}}
KILLS = [
    ("worker", SIGKILL),
    ("driver", SIGKILL),
    ("worker", SIGTERM),
    ("driver", SIGTERM),
    ("worker", SIGKILL),
]
EXIT_CODES = {SIGKILL: -SIGKILL, SIGTERM: STOPPED}


def rounds(results):
    entries = json.loads((results / "plan.json").read_text())
    return {entry["id"]: entry.get("round", 1) for entry in entries}


@pytest.mark.slow
@pytest.mark.timeout(3 * RUN_SECONDS)
def test_five_kills_change_no_round_and_a_larger_budget_continues(tmp_path, real_run):
    reference = undisturbed(tmp_path / "undisturbed", REFINED)
    moments = random.Random(0)
    # At least one kill within the grid and one after it, all of them long before the last trial.
    places = sorted([moments.randrange(1, GRID), *moments.sample(range(GRID, BUDGET - 6), len(KILLS) - 1)])
    run = real_run(REFINED)
    run.start()
    for place, (victim, sign) in zip(places, KILLS, strict=True):
        wait_until(
            lambda place=place: run.check_records() >= place or run.process.poll() is not None,
            RUN_SECONDS,
            "stuck",
        )
        assert run.process.poll() is None, run.output()
        time.sleep(moments.uniform(0, 0.3))
        run.send_fault(victim, sign, moments)
        if victim == "driver":
            assert run.finish() == EXIT_CODES[sign], run.output()
            run.start()
    assert run.finish() == 0, run.output()
    assert "Traceback" not in run.output(), run.output()
    assert rounds(run.results) == rounds(reference)
    assert set(rounds(run.results).values()) >= {1, 2, 3}
    assert_same_tables(run.results, reference)

    finished = run.records()
    run.start("--set", f"refine.budget={MORE}")
    assert run.finish() == 0, run.output()
    assert BUDGET < len(rounds(run.results)) <= MORE
    assert finished.items() < run.records().items()
    extended = shutil.copytree(reference, tmp_path / "extended")
    assert_same_tables(run.results, undisturbed(extended, EXTENDED))
