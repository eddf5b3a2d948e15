"""The report takes seconds for a small study and a minute for ten thousand trials; its page opens fast."""

import subprocess
import sys

import numpy as np
import pytest
from chromium import needs_browser
from simulated_folder import simulate, write_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
OPENINGS = 3
MEASURE = """
import resource, sys, time
from analysis.report import write_report
write_report([sys.argv[1]], sys.argv[1])
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""


def cost(folder):
    """Processor seconds and gigabytes of the whole process, imports included; other work does not count."""
    command = [sys.executable, "-c", MEASURE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def test_a_hundred_trials_take_fifteen_seconds_of_one_core(study):
    arms = {"strict": {"name": "strict"}, "ace": {"name": "ace"}, "relaxed": {"name": "relaxed"}}
    seconds, _ = cost(study(seeds=5, arms=arms))
    assert seconds < 15  # about 8 on a quiet machine, 12 if other work fills the caches


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory):
    """A results folder of 10,000 trials of 100 epochs with its report, and the cost of the report."""
    rates = [float(f"{rate:.4g}") for rate in np.logspace(-4, -1, 10)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda file: None)  # the folder is made for these tests only
        folder = write_study(tmp_path_factory.mktemp("large"), *simulate(seeds=250, rates=rates, epochs=100))
    return folder, cost(folder)


def test_ten_thousand_trials_take_a_minute_of_one_core(ten_thousand):
    _, (seconds, gigabytes) = ten_thousand
    print(f"{seconds:.1f} s, {gigabytes:.2f} GB")
    assert seconds < 60
    assert gigabytes < 2


@needs_browser
@pytest.mark.timed
def test_the_page_of_ten_thousand_trials_opens_within_three_seconds(ten_thousand, browser):
    """From the start of the navigation until the tables can be used and all pictures are loaded, best of three."""
    page = ten_thousand[0] / "report" / "report.html"
    opened = []
    for _ in range(OPENINGS):
        browser.open(page)
        opened.append(browser.run("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
        assert "10000 trials" in browser.run("return document.querySelector('#trials .state').textContent")
        assert browser.run("return document.querySelectorAll('#trials tbody tr').length") == 50
    print(f"{min(opened):.2f} s, {page.stat().st_size / 1e6:.1f} MB")
    assert 0 < min(opened) < 3
