"""A trial beyond its limits is ended with last words; one within them never notices."""

import subprocess
import sys

import pytest

from trainables.watchdog import Limits, resident_bytes, watched

WATCHED = """
import time, sys
from trainables.watchdog import Limits, watched
with watched(Limits({limits}), lambda reason, detail: print(reason, detail, flush=True)):
    {work}
print("came to its end")
"""


def run(limits, work):
    code = WATCHED.format(limits=limits, work=work)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_trial_that_hangs_is_ended():
    ended = run("seconds=0.6", "time.sleep(50)")
    assert ended.returncode == 1
    assert ended.stdout.startswith("timeout")
    assert "timeout_minutes" in ended.stdout


def test_a_trial_that_grows_is_ended():
    ended = run("memory_bytes=3e8", "kept = b'x' * 400_000_000; time.sleep(50)")
    assert ended.returncode == 1
    assert ended.stdout.startswith("out_of_memory")


@pytest.mark.parametrize("limits", [Limits(), Limits(seconds=60, memory_bytes=1e12)])
def test_a_trial_within_its_limits_is_left_alone(limits):
    with watched(limits, lambda reason, detail: pytest.fail(reason)):
        pass


def test_resident_memory_is_that_of_this_process():
    before = resident_bytes()
    kept = bytearray(50_000_000)
    assert resident_bytes() - before > 40_000_000
    assert len(kept) == 50_000_000
