"""Hundreds of trials in one run with a fault every few seconds: nothing is lost and nothing grows."""

import contextlib
import json
import os
import random
import time
from pathlib import Path
from signal import SIGKILL

import psutil
import pytest
from real_run import CONTENT, RUN_SECONDS, WORKER, assert_same_tables, undisturbed

from trainables.worker.attempt import ATTEMPTS

MEGABYTE = 1 << 20
CONTENT = {
    **CONTENT,
    "training": {"epochs": 1, "batch_size": 5},
    "grid": {"lr": [3e-2], "seed": 250},
}


def resident(processes):
    """The memory of the largest of these processes, in bytes."""
    sizes = [0]
    for process in processes:
        try:
            sizes.append(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return max(sizes)


def scratch_bytes(run):
    """Size of the run's own files in the temporary folder, without those of Ray's session."""
    total = 0
    for own in run.scratch.glob("study-*"):
        for folder, _, files in os.walk(own):  # skips folders that are deleted meanwhile
            for name in files:
                with contextlib.suppress(FileNotFoundError):
                    total += os.stat(Path(folder, name)).st_size
    return total


def at_its_last_attempt(run):
    """Whether a trial has lost so many workers that the next loss would make its record: crashed."""
    for attempts in run.results.glob("trials/*/attempts.json"):
        with contextlib.suppress(FileNotFoundError):  # its trial has just ended
            if len(json.loads(attempts.read_bytes())) >= ATTEMPTS:
                return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(3 * RUN_SECONDS)
def test_five_hundred_trials(real_run, tmp_path, capsys):
    moments, kills, samples = random.Random(0), 0, []
    run = real_run(CONTENT, BATCH_SECONDS="0.005", STORE_ERRORS="0.01")
    run.start()
    while run.process.poll() is None:
        time.sleep(moments.uniform(6, 12))  # a new worker needs some seconds to start
        if run.check_records():
            driver = resident([psutil.Process(run.process.pid)])
            workers = resident(run.processes(WORKER))
            samples.append((len(run.seen), driver, workers, scratch_bytes(run)))
            if not at_its_last_attempt(run):
                run.send_fault("worker", SIGKILL, moments)
                kills += 1
    assert run.finish() == 0, run.output()
    assert_same_tables(run.results, undisturbed(tmp_path / "undisturbed", CONTENT))
    assert not list(run.scratch.glob("study-*"))
    settled = [sample for sample in samples if sample[0] > len(run.seen) / 5 and sample[1] and sample[2]]
    with capsys.disabled():
        print(f"\n{len(run.seen)} trials, {kills} workers killed; trials, driver, worker, scratch (MB):")
        for done, *sizes in (settled[0], settled[-1]):
            print(done, *(f"{size / MEGABYTE:.1f}" for size in sizes))
    assert max(sample[1] for sample in settled) < settled[0][1] + 50 * MEGABYTE
    assert max(sample[2] for sample in settled) < settled[0][2] + 100 * MEGABYTE
    assert max(sample[3] for sample in settled) < 20 * MEGABYTE
