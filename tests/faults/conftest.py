import pytest
from real_run import RealRun


@pytest.fixture
def real_run(tmp_path):
    """Makes runs in the test's folder; processes of theirs that are left at the end are killed."""
    runs = []

    def make(*content, folder=tmp_path, **options):
        runs.append(RealRun(folder, *content, **options))
        return runs[-1]

    yield make
    for run in runs:
        run.end()
