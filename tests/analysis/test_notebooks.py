"""The notebooks run headless on any results folder, and unchanged on the reference study."""

import re

import psutil
import pytest

from analysis.notebooks import NAMES, as_page, execute, execute_notebooks, read_notebook


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_as_it_is_shows_the_reference_study_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = read_notebook(name)
    execute(notebook, name)
    page = as_page(notebook)
    assert "236 trials with a result" in page
    assert "image/svg" in page
    assert not [child for child in psutil.Process().children() if "ipykernel_launcher" in child.cmdline()]


def test_notebooks_are_executed_on_the_named_folder(study, monkeypatch):
    monkeypatch.setattr("analysis.notebooks.NAMES", ["failure_rates"])  # the test above runs them all
    folder = study(seeds=2, rates=[1e-3, 1e-2, 1e-1])
    written = execute_notebooks(folder, folder)
    assert written == ["report/notebooks/failure_rates.ipynb", "report/notebooks/failure_rates.html"]
    page = (folder / written[1]).read_text()
    assert str(folder) in page
    assert "24 trials with a result" in page
    assert "image/svg" in page
    assert not re.search(r"(src|href)=\"https?://[^\"]+\.(js|css)", page)


@pytest.mark.slow
def test_notebooks_run_on_nothing_but_failures(study):
    execute_notebooks(
        study(seeds=1, rates=[1e-3], outcome="failed"), study(name="elsewhere", seeds=1, rates=[1e-3])
    )
