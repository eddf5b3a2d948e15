"""A real headless Chromium, driven over plain WebDriver."""

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1200,1600"),
)
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(not (BROWSER and shutil.which("chromedriver")), reason="no Chromium")


class Browser:
    """One session of a running chromedriver."""

    def __init__(self, address, profile):
        self.address = address
        arguments = [*FLAGS, f"--user-data-dir={profile}"]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": BROWSER, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def ask(self, method, path, content=None):
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, place):
        """Open a page by its path or its address."""
        url = place if isinstance(place, str) else place.as_uri()
        self.ask("POST", f"/session/{self.session}/url", {"url": url})

    def run(self, script):
        return self.ask("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": []})

    def log(self, kind):
        return self.ask("POST", f"/session/{self.session}/se/log", {"type": kind})

    def requests(self):
        """The addresses that pages have requested since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = (event["params"] for event in events if event["method"] == "Network.requestWillBeSent")
        return [one["request"]["url"] for one in sent]

    def resize(self, width, height, scheme="light"):
        """Emulate a screen, since a window cannot be narrower than 500 pixels."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        colors = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        for command, options in (
            ("Emulation.setDeviceMetricsOverride", screen),
            ("Emulation.setEmulatedMedia", colors),
        ):
            self.ask("POST", f"/session/{self.session}/goog/cdp/execute", {"cmd": command, "params": options})

    def screenshot(self):
        return base64.b64decode(self.ask("GET", f"/session/{self.session}/screenshot"))


@contextmanager
def opened_browser(profile):
    """A session that ends with the block and keeps its profile in the given folder."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        port = next(
            found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line))
        )
        opened = Browser(f"http://127.0.0.1:{port}", profile)
        yield opened
        opened.ask("DELETE", f"/session/{opened.session}")
    finally:
        driver.terminate()
        driver.wait(30)


def rows(browser, place, column):
    cell = f"row.cells[{column}].textContent"
    return browser.run(f"return [...document.querySelectorAll('#{place} tbody tr')].map((row) => {cell})")


def type_filter(browser, place, text):
    browser.run(
        f"const input = document.querySelector('#{place} input'); input.value = {json.dumps(text)};"
        "input.dispatchEvent(new Event('input'))"
    )
