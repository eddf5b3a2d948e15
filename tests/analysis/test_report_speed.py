"""The report of a small study is there within seconds."""

import subprocess
import sys

import pytest

MEASURE = """
import sys, time
from analysis.report import write_report
write_report([sys.argv[1]], sys.argv[1])
print(time.process_time())
"""


@pytest.mark.slow
def test_a_hundred_trials_take_ten_seconds_of_one_core(study):
    """Processor time of the whole process, imports included, so that other work on the machine does not count."""
    folder = study(
        seeds=5, arms={"strict": {"name": "strict"}, "ace": {"name": "ace"}, "x": {"name": "relaxed"}}
    )
    command = [sys.executable, "-c", MEASURE, str(folder)]
    assert float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) < 10
