"""Real runs on disks that fill up, two at once in one folder, and with models that misbehave."""

import os
import subprocess
from collections import Counter

import pytest
from real_run import CONTENT, RUN_SECONDS, assert_same_tables, undisturbed, wait_until

from analysis.load import load_trials

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * RUN_SECONDS)]
needs_mount = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can mount; test_storage_faults has a shim"
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def disk(tmp_path):
    """A separate disk; the run requires a gigabyte before it starts."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount(folder, "-t", "tmpfs", "-o", "size=1200m", "none")
    except subprocess.CalledProcessError:
        pytest.skip("mounting is not allowed here; test_storage_faults has a shim")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(folder, *options):
    subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)


def fill(disk):
    with open(disk / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))


@needs_mount
def test_a_full_disk_and_a_read_only_one_end_the_run_with_one_line(disk, reference, real_run):
    run = real_run(results=disk / "results")
    for reason in ("No space left", "Read-only file system"):
        run.start()
        done = run.check_records()
        wait_until(lambda done=done: run.check_records() > done, RUN_SECONDS, "no trial ends")
        if reason == "No space left":
            with pytest.raises(OSError, match=reason):
                fill(disk)
        else:
            mount(disk, "-o", "remount,ro")
        assert run.finish() == 1, run.output()
        (line,) = [line for line in run.output().splitlines() if line.startswith("study: ")]
        assert reason in line
        assert "the same command resumes from there" in line
        mount(disk, "-o", "remount,rw")
        (disk / "filler").unlink(missing_ok=True)
    run.start()
    assert run.finish() == 0, run.output()
    assert_same_tables(run.results, reference)


def test_of_two_runs_started_at_once_one_is_refused(reference, tmp_path, real_run):
    (tmp_path / "other").mkdir()
    runs = [real_run(), real_run(folder=tmp_path / "other", results=tmp_path / "results")]
    for run in runs:
        run.start()
    codes = [run.finish() for run in runs]
    assert sorted(codes) == [0, 2], [run.output() for run in runs]
    assert "is in use by process" in runs[codes.index(2)].output()
    assert_same_tables(runs[0].results, reference)


def test_models_that_hang_leak_fork_and_talk_cost_only_themselves(real_run):
    models = [f"faulty_models:{name}" for name in ("Patient", "Hanging", "Leaking", "Forking", "Talking")]
    content = {
        **CONTENT,
        "arms": {"strict": {"method": "strict"}},
        "grid": {"lr": [1e-3], "seed": 1, "model.name": models},
        "resources": {"timeout_minutes": 0.5, "memory_gb": 1.5},
    }
    run = real_run(content)
    run.start("--no-check")  # the check would run the same models
    assert run.finish() == 1, run.output()
    trials = load_trials(run.results).set_index("model")
    assert dict(trials["reason"][trials["outcome"] == "crashed"]) == {
        "faulty_models:Hanging": "timeout",
        "faulty_models:Leaking": "out_of_memory",
    }
    assert Counter(trials["outcome"])["crashed"] == 2
    assert len(run.output()) < 100_000
