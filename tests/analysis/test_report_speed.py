"""The report is there within seconds for a small study, within a minute for ten thousand trials."""

import subprocess
import sys

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
MEASURE = """
import resource, sys, time
from analysis.report import write_report
write_report([sys.argv[1]], sys.argv[1])
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""


def cost(folder):
    """Processor seconds of the whole process, imports included, and gigabytes: other work does not count."""
    command = [sys.executable, "-c", MEASURE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def test_a_hundred_trials_take_fifteen_seconds_of_one_core(study):
    arms = {"strict": {"name": "strict"}, "ace": {"name": "ace"}, "relaxed": {"name": "relaxed"}}
    seconds, _ = cost(study(seeds=5, arms=arms))
    assert seconds < 15  # about 8 on a quiet machine, 12 where other work fills the caches


def test_ten_thousand_trials_take_a_minute_of_one_core(study, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda file: None)  # the folder is made for this test only
    rates = [float(f"{rate:.4g}") for rate in np.logspace(-4, -1, 10)]
    seconds, gigabytes = cost(study(seeds=250, rates=rates, epochs=100))
    print(f"{seconds:.1f} s, {gigabytes:.2f} GB")
    assert seconds < 60
    assert gigabytes < 2
