"""A process that cannot speak for itself any more is spoken for; one that can is not."""

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
    """What a process says that comes to `end` within the block."""
    command = [sys.executable, "-c", BEGIN + end, WORDS]
    # Its stderr is read to the end, which comes when the watcher has ended too.
    process = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=30, start_new_session=True)
    return process.stderr


@pytest.mark.parametrize("end", SILENT)
def test_words_of_a_process_that_is_gone(end):
    assert said(end) == WORDS + "\n"


@pytest.mark.parametrize("end", SPOKEN)
def test_no_words_where_it_ends_by_itself(end):
    assert WORDS not in said(end)
