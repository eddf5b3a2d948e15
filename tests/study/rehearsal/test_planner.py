import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from study.rehearsal.planner import Planner
from trainables.errors import BadInput


class Unpicklable(Exception):
    def __reduce__(self):
        raise TypeError("not this one")


def stops():
    raise BadInput("model.name: unknown")


def fails():
    raise KeyError("left")


def fails_for_itself():
    raise Unpicklable


@pytest.fixture(scope="module")
def planner():
    with Planner() as planner:
        yield planner


def test_results_come_from_another_process(planner):
    assert planner.begin(os.getpid)() == planner.process.pid != os.getpid()
    assert planner.begin(divmod, 7, 2)() == (3, 1)


def test_this_process_continues_meanwhile(planner):
    started = time.monotonic()
    result = planner.begin(time.sleep, 0.3)
    assert time.monotonic() - started < 0.3
    assert result() is None


def test_its_exceptions_are_raised_in_the_caller(planner):
    with pytest.raises(BadInput, match=r"^model\.name: unknown$"):
        planner.begin(stops)()
    with pytest.raises(KeyError) as caught:
        planner.begin(fails)()
    assert "in fails" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="not this one"):
        planner.begin(fails_for_itself)()
    assert planner.begin(divmod, 7, 2)() == (3, 1), "the process is still there"


def test_a_process_that_ends_is_reported_in_one_line():
    with Planner() as planner:
        with pytest.raises(BadInput, match="ended with code 3; give it more memory"):
            planner.begin(os._exit, 3)()
        with pytest.raises(BadInput, match="ended with code 3"):
            planner.begin(divmod, 7, 2)()


def holds_a_lock():
    holds_a_lock.lock = multiprocessing.RLock()  # as a progress bar of tqdm does


def ignores_the_end():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def leaves_nothing_behind():
    with Planner() as planner:
        planner.begin(holds_a_lock)()


def test_locks_of_called_functions_are_cleaned_up():
    """Otherwise Python's resource tracker would warn about them on the terminal after the run."""
    program = "import test_planner; test_planner.leaves_nothing_behind()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parent)  # fmt: skip
    assert done.stderr == ""


def test_leaving_kills_a_process_that_does_not_end(monkeypatch):
    monkeypatch.setattr("study.rehearsal.planner.SECONDS_TO_END", 0.1)
    with Planner() as planner:
        planner.begin(ignores_the_end)
        process = psutil.Process(planner.process.pid)
        time.sleep(0.5)
    assert not process.is_running()


def test_leaving_ends_the_process_in_the_middle_of_a_call():
    with Planner() as planner:
        planner.begin(time.sleep, 600)
        process = psutil.Process(planner.process.pid)
    assert not process.is_running()


def test_interrupts_are_for_the_caller():
    with Planner() as planner:
        result = planner.begin(time.sleep, 0.5)
        os.kill(planner.process.pid, signal.SIGINT)
        assert result() is None
