"""`study watch` in a real Chromium, while records are added to the folder by the test or by a real run."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import yaml
from chromium import needs_browser, rows, type_filter
from simulated_folder import simulate, write_study

from analysis.page import waiting_page
from study.inspection import watch as live
from trainables.results.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), needs_browser]


MISSING = "return document.querySelector('.counts .missing dd')?.textContent"
SLOW_MODEL = """
import time

from trainables.models.egnn import EGNN


class Slow(EGNN):
    def forward(self, graph):
        time.sleep(1.0)
        return super().forward(graph)
"""
STUDY = {
    "name": "watched",
    "task": {"name": "nbody", "train": 20, "val": 10, "test": 10},
    "model": {"name": "slow_model:Slow", "hidden": 8, "layers": 1},
    "training": {"epochs": 2, "batch_size": 10},
    "arms": {"strict": {"method": "strict"}, "triangle": {"method": "relaxed"}},
    "grid": {"lr": [1e-3], "seed": 5},
}


@contextmanager
def watching(folder, monkeypatch):
    """The address of the live page of a folder, rebuilt without long pauses."""
    ended, address, found = threading.Event(), [], threading.Event()

    def rest(work):
        if ended.wait(0.2):
            raise KeyboardInterrupt

    def show(url):
        address.append(url)
        found.set()

    def follow():
        with suppress(KeyboardInterrupt):
            live.watch(str(folder), open_store(folder), 0, waiting_page("simulated"), print, show)

    monkeypatch.setattr(live, "_rest", rest)
    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert found.wait(30)
        yield address[0]
    finally:
        ended.set()
        thread.join(120)


def until(true, seconds=120):
    """Wait until the page shows what it should, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the page did not show it"
        time.sleep(0.2)


def state(browser):
    """What a reader has opened and where they are."""
    return browser.run(
        "const input = document.querySelector('#trials input');"
        "return [input.value, document.activeElement === input, input.selectionStart,"
        " document.querySelectorAll('#curves figure').length,"
        " [...document.querySelectorAll('details[open] > summary')].map((found) => found.textContent),"
        " document.querySelector('#trials th[aria-sort]').textContent,"
        " document.querySelector('#trials').getBoundingClientRect().top]"
    )


def unmoved(top):
    """About where the table was, in pixels: a page scrolls by whole ones, but its lines have fractions of them."""
    return pytest.approx(top, abs=1.5)


def test_trials_appear_while_the_page_is_open_and_the_reader_keeps_their_place(
    tmp_path, browser, monkeypatch
):
    arms = {"strict": {"name": "strict"}, "ace": {"name": "ace"}}
    plan, records, histories = simulate(arms=arms, rates=[1e-3, 1e-1], seeds=3)
    folder = write_study(tmp_path / "study", plan, [], [], name="simulated")
    before = sorted(path for path in folder.rglob("*"))

    with watching(folder, monkeypatch) as url:
        browser.resize(1280, 500)
        browser.open(url)
        assert "built" in browser.run("return document.querySelector('.lead, main').textContent")
        until(lambda: browser.run(MISSING) == "12")
        assert sorted(path for path in folder.rglob("*")) == before, "the results folder is only read"

        write_study(folder, plan, records[:6], histories[:6], name="simulated")
        until(lambda: browser.run(MISSING) == "6")
        browser.run("window.stayed = true")
        type_filter(browser, "trials", "arm:strict")
        browser.run(
            "document.querySelectorAll('#trials th button')[3].click();"
            "document.querySelector('#trials tbody tr').click();"
            "document.querySelector('#finding details').open = true;"
            "document.querySelector('#trials input').focus({preventScroll: true});"
            "document.querySelector('#trials input').setSelectionRange(3, 3);"
            "scrollTo(0, document.querySelector('#trials').getBoundingClientRect().top + scrollY - 40)"
        )
        kept, height = state(browser), browser.run("return document.documentElement.scrollHeight")
        assert (kept[0], kept[3], kept[6]) == ("arm:strict", 1, unmoved(40))

        write_study(folder, plan, records, histories, name="simulated")
        until(lambda: browser.run(MISSING) == "0")
        assert browser.run("return window.stayed"), "the page was not loaded again"
        assert browser.run("return document.documentElement.scrollHeight") != height
        assert state(browser) == [*kept[:6], unmoved(kept[6])]
        assert len(rows(browser, "trials", 0)) == 6
        assert "missing" not in rows(browser, "trials", 5)
        assert browser.run("return [...document.images].every((image) => image.naturalWidth > 100)")
        line = browser.run("return document.querySelector('.live').textContent")
        assert line.startswith("live: page from ")

    assert browser.log("browser") == []
    asked = {address for address in browser.requests() if address.startswith(("http", "ws", "ftp"))}
    assert {address.removeprefix(url) for address in asked} == {"", "live.json", "report.html"}
    until(lambda: "ended" in browser.run("return document.querySelector('.live').textContent"))


@contextmanager
def running(place):
    """A real `study run` of trials that take seconds each; yields its results folder once the plan exists."""
    (place / "slow_model.py").write_text(SLOW_MODEL)
    (place / "study.yaml").write_text(yaml.safe_dump(STUDY))
    folder = place / "results"
    command = [sys.executable, "-m", "study", "run", "study.yaml", "--results", str(folder)]
    environment = {**os.environ, "STUDY_DATA": str(place / "data")}
    with (place / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)
    try:
        until((folder / "plan.json").exists, 300)
        yield folder
        assert process.wait(300) == 0, (place / "log").read_text()
    finally:
        process.terminate()
        process.wait(60)


def test_trials_of_a_real_run_appear_as_they_end(tmp_path, browser, monkeypatch):
    seen = []

    def all_ended():
        shown = browser.run(MISSING)
        if shown is not None and shown not in seen:
            seen.append(shown)
        return shown == "0"

    with running(tmp_path) as folder, watching(folder, monkeypatch) as url:
        browser.open(url)
        until(lambda: browser.run(MISSING) is not None, 240)
        browser.run("window.stayed = true")
        until(all_ended, 600)
        assert browser.run("return window.stayed"), "the page was not loaded again"
    assert [int(number) for number in seen] == sorted(map(int, seen), reverse=True)
    assert len(seen) >= 3, "trials appear one after the other, not all at the end"
