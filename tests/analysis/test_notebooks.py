"""The notebooks run headless on any results folder."""

import re

import pytest

from analysis.notebooks import NAMES, execute_notebooks


def test_notebooks_run_on_a_study(study):
    folder = study(seeds=2, rates=[1e-3, 1e-2, 1e-1])
    written = execute_notebooks(folder, folder)
    assert written == [f"report/notebooks/{name}.{kind}" for name in NAMES for kind in ("ipynb", "html")]
    for name in NAMES:
        page = (folder / "report" / "notebooks" / f"{name}.html").read_text()
        assert str(folder) in page
        assert "<svg" in page or "image/svg" in page
        assert not re.search(r"(src|href)=\"https?://[^\"]+\.(js|css)", page)


@pytest.mark.slow
def test_notebooks_run_on_nothing_but_failures(study):
    execute_notebooks(
        study(seeds=1, rates=[1e-3], outcome="failed"), study(name="elsewhere", seeds=1, rates=[1e-3])
    )
