"""A trial beyond its limits is ended with a last message; one within them is unaffected."""

import mmap
import os
import subprocess
import sys

import pytest

from trainables.worker.conditions import Limits
from trainables.worker.watchdog import resident_bytes, watched

WATCHED = """
import time, sys
from trainables.worker.conditions import Limits
from trainables.worker.watchdog import watched
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
    with mmap.mmap(-1, 50_000_000) as kept:  # malloc could return memory that the process already has
        for page in range(0, len(kept), mmap.PAGESIZE):
            kept[page] = 1
        assert resident_bytes() - before > 40_000_000


FORKING = """
import os, time
from trainables.worker.watchdog import resident_bytes

def child(size):
    ready, done = os.pipe()
    if os.fork() == 0:
        kept = b"x" * size
        os.write(done, b"!")
        time.sleep(50)
    os.read(ready, 1)

kept, before = b"x" * 200_000_000, resident_bytes()
for _ in range(5):
    child(0)
sharing = resident_bytes()
child(100_000_000)
print(sharing - before, resident_bytes() - sharing)
os.killpg(0, 9)
"""


def test_memory_shared_by_forks_counts_once_and_memory_they_add_counts():
    ended = subprocess.run(
        [sys.executable, "-c", FORKING],
        capture_output=True, text=True, timeout=60, check=False, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    sharing, added = map(int, ended.stdout.split())
    assert sharing < 50_000_000
    assert added > 90_000_000
