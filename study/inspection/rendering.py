"""Renders the live page in a process of the lowest priority, so that neither the run nor the server waits for it."""

import os
import subprocess
import sys
from pathlib import Path

LOWEST = 19
KEPT = 300  # characters of a reason
LONGEST = 3600.0  # seconds; the largest page takes one minute if nothing of higher priority runs


class NotRendered(RuntimeError):
    """The page could not be rendered; the message says why in one line."""


def render(folder: str, to: Path, edition: str) -> None:
    """Write the report of a results folder into `to`, as a page that asks for newer editions.

    Args:
        folder: The results folder, local or s3://; only read.
        to: An empty folder.
        edition: The name of this report.

    Raises:
        NotRendered: If the process failed, or took more than an hour; its output must not be shown.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, folder, str(to), edition],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C ends this process, which ends the child without a traceback
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        cwd=to,  # not the user's folder, where a file may shadow a module
    )
    try:
        _, complaint = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired as error:
        raise NotRendered(f"it took longer than {LONGEST / 60:.0f} minutes") from error
    finally:
        process.kill()  # has no effect if it has ended
        process.wait()
    if process.returncode:
        lines = complaint.strip().splitlines() or [f"its process ended with exit code {process.returncode}"]
        raise NotRendered(lines[-1][:KEPT])


def main() -> None:
    """`python -m study.inspection.rendering DIR TO EDITION`."""
    os.nice(LOWEST)
    from analysis.report import write_report

    folder, to, edition = sys.argv[1:]
    write_report([folder], to, edition=edition)


if __name__ == "__main__":
    main()
