"""A line is printed for a process that ends without a chance to print one, and for no other."""

import subprocess
import sys

import pytest

WORDS = "all \\n is kept"
SILENT = ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(1)"]
SPOKEN = ["pass", "raise SystemExit(1)", "raise OSError", "os.killpg(0, signal.SIGINT); time.sleep(9)"]
BEGIN = """
import os, signal, sys, time
from study.execution.last_words import last_words
with last_words(sys.argv[1]):
    """


def said(end):
    """The stderr of a process that runs `end` within the block."""
    command = [sys.executable, "-c", BEGIN + end, WORDS]
    # Its stderr is read to the end, which is reached once the watcher has ended too.
    process = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=30, start_new_session=True)
    return process.stderr


@pytest.mark.parametrize("end", SILENT)
def test_words_for_a_process_that_is_cut_off(end):
    assert said(end) == WORDS + "\n"


@pytest.mark.parametrize("end", SPOKEN)
def test_no_words_for_a_process_that_can_end_properly(end):
    assert WORDS not in said(end)
