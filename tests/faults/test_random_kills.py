"""Drivers, workers and raylets are killed at random moments, and the table is that of an undisturbed run."""

import random
import time
from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from real_run import CONTENT, RUN_SECONDS, assert_same_tables, undisturbed, wait_until

STOPPED, RAY_LOST = 130, 1
ENDS = {  # what ends the run, and its exit code; a lost worker does not end it, and the raylet ignores SIGINT
    ("driver", SIGINT): STOPPED,
    ("terminal", SIGINT): STOPPED,
    ("driver", SIGTERM): STOPPED,
    ("driver", SIGKILL): -SIGKILL,
    ("raylet", SIGTERM): RAY_LOST,
    ("raylet", SIGKILL): RAY_LOST,
}
FAULTS = [*ENDS, ("raylet", SIGINT), ("worker", SIGINT), ("worker", SIGTERM), ("worker", SIGKILL)]
SIX_KILLS = [
    ("worker", SIGKILL),
    ("driver", SIGTERM),
    ("worker", SIGTERM),
    ("driver", SIGKILL),
    ("worker", SIGINT),
    ("worker", SIGKILL),
]
CONTENT = {**CONTENT, "grid": {"lr": [3e-2, 1e3], "seed": 5}}
LONGER = {**CONTENT, "grid": {"lr": [3e-2, 1e3], "seed": 24}}
TIMES = 3  # of each fault: thirty in all


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), CONTENT)


def disturb(run, faults, moments):
    """Inject each fault while trials are running, and resume the run whenever it has ended.

    Returns how many were injected before the last trial had ended.
    """
    for injected, (victim, sign) in enumerate(faults):
        done = run.check_records()
        wait_until(
            lambda done=done: run.check_records() > done or run.process.poll() is not None,
            RUN_SECONDS,
            "stuck",
        )
        time.sleep(moments.uniform(0, 0.5))
        if run.done():
            return injected
        assert run.process.poll() is None, run.output()
        run.send_fault(victim, sign, moments)
        if (victim, sign) in ENDS:
            code = run.finish()
            assert "Traceback" not in run.output(), run.output()
            if code == 0 and run.done():  # the last trial was quicker, or finished without its raylet
                return injected + (victim == "raylet")
            assert code == ENDS[victim, sign], run.output()
            assert run.output().count("resumes from there") == 1, run.output()
            run.start("--no-check")  # the first start has done the check
    return len(faults)


@pytest.mark.slow
def test_six_kills_change_nothing_and_secrets_and_ports_stay_at_home(reference, real_run):
    run = real_run(CONTENT)
    run.start()
    wait_until(run.check_records, RUN_SECONDS, "no trial ends")
    assert run.open_addresses() == set()
    assert disturb(run, SIX_KILLS, random.Random(0)) == len(SIX_KILLS)
    assert run.finish() == 0, run.output()
    assert "a worker was lost (" in run.output()
    assert "Traceback" not in run.output(), run.output()
    assert_same_tables(run.results, reference)
    assert run.leaks() == []


@pytest.mark.slow
@pytest.mark.timeout(5 * RUN_SECONDS)
def test_thirty_random_kills_change_nothing(real_run, tmp_path):
    moments = random.Random(0)
    run = real_run(LONGER)
    run.start()
    faults = moments.sample(FAULTS, len(FAULTS) * TIMES, counts=[TIMES] * len(FAULTS))
    assert disturb(run, faults, moments) == len(faults)
    assert run.finish() == 0, run.output()
    assert "Traceback" not in run.output(), run.output()
    assert_same_tables(run.results, undisturbed(tmp_path / "undisturbed", LONGER))


@pytest.mark.slow
@pytest.mark.timeout(2 * RUN_SECONDS)
def test_kills_before_the_first_trial_change_nothing(reference, real_run):
    moments = random.Random(6)
    run = real_run(CONTENT)
    for sign in (SIGINT, SIGTERM, SIGKILL, SIGINT, SIGTERM):
        run.start()
        time.sleep(moments.uniform(0, 15))
        run.send_fault("driver", sign, moments)
        assert run.finish() in (STOPPED, -sign), run.output()
    for _ in range(3):
        run.start()
        wait_until(lambda: run.processes("raylet"), 60, "Ray does not start")
        time.sleep(moments.uniform(0, 4))
        run.send_fault("raylet", SIGKILL, moments)
        assert run.finish() == RAY_LOST, run.output()
        assert run.output().count("resumes from there") == 1, run.output()
    run.start()
    assert run.finish() == 0, run.output()
    assert_same_tables(run.results, reference)
