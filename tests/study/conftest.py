"""Makes helpers importable in the tests below this folder; runs the command line in separate processes."""

import os
import subprocess

import pytest
from small_runs import STUDY


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study-data")


@pytest.fixture(scope="session")
def study(data_folder):
    """Run the command line; returns the finished process."""

    def run(*arguments, cwd):
        environment = {**os.environ, "STUDY_DATA": str(data_folder)}
        return subprocess.run(
            [*STUDY, *map(str, arguments)],
            capture_output=True, text=True, timeout=200, check=False, cwd=cwd, env=environment,
        )  # fmt: skip

    return run
