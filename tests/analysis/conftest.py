"""Fixtures for tests of the analysis: simulated results folders, reports without figures, a browser."""

import pytest
from chromium import opened_browser
from simulated_folder import simulate, write_study


@pytest.fixture
def study(tmp_path):
    """Make a results folder: `study(name="a", seeds=3, ...)` with the arguments of `simulate`.

    change: maps the simulated records to those to write
    """

    def make(name="simulated", config=None, change=list, **options):
        plan, records, histories = simulate(**options)
        return write_study(tmp_path / name, plan, change(records), histories, name=name, config=config)

    return make


@pytest.fixture
def no_figures(monkeypatch):
    """Reports without figures, for tests of their texts and tables: drawing takes most of a report's time."""
    monkeypatch.setattr("analysis.report.make_pictures", lambda *unused: [])


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium."""
    with opened_browser(tmp_path / "profile") as opened:
        yield opened
