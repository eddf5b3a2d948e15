"""Freed tensors stay with the process during a trial, and are returned to the system after it."""

import json
import os
import subprocess
import sys

import pytest

STEPS = """
import json, resource
import torch
from trainables.worker.memory import large_tensors_kept
from trainables.worker.watchdog import resident_bytes

def steps():
    # Page faults of five steps with a tensor of 100 MB that is freed after each.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.empty(25_000_000).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

outside = steps()
with large_tensors_kept() as kept:
    for _ in range(4):  # until the block has found its place, which takes up to nine steps
        steps()
    within, held = steps(), resident_bytes()
print(json.dumps({"kept": kept, "outside": outside, "within": within, "given_back": held - resident_bytes()}))
"""


def measure(**environment):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        capture_output=True, text=True, check=True, timeout=120, env={**plain, **environment},
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_steps_of_a_trial_request_few_new_pages_from_the_kernel():
    measured = measure()
    assert measured["kept"]
    assert measured["within"] < 0.1 * measured["outside"]
    assert measured["given_back"] > 80_000_000


@pytest.mark.parametrize(
    "environment", [{"MALLOC_TRIM_THRESHOLD_": "100000"}, {"GLIBC_TUNABLES": "glibc.malloc.check=0"}]
)
def test_settings_of_the_user_are_kept(environment):
    assert not measure(**environment)["kept"]
