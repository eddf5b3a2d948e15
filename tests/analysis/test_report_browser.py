"""The page in a real headless Chromium."""

import re
from dataclasses import replace

from chromium import needs_browser, rows, type_filter

from analysis.report import write_report


@needs_browser
def test_the_page_sorts_filters_and_loads_nothing(study, browser):
    arms = {"strict": {"name": "strict"}, "<img src=x onerror=alert(1)>": {"name": "ace"}}
    folder = study(
        arms=arms, seeds=5, crashed=1, config={"name": "<script>document.title = 'broken'</script>"}
    )
    summary = write_report([folder], folder)
    browser.open(folder / "report" / "report.html")

    assert browser.run("return document.title").startswith("Robustness report")
    assert summary["finding"][0] in browser.run("return document.querySelector('#finding').textContent")
    assert browser.run("return [...document.images].every((image) => image.naturalWidth > 100)")
    assert (
        browser.run("return document.querySelector('h1').textContent")
        == "<script>document.title = 'broken'</script>"
    )

    head = browser.run("return [...document.querySelectorAll('#trials th')].map((cell) => cell.textContent)")
    rate = head.index("lr")
    assert len(rows(browser, "trials", 0)) == 50  # one page of the 70
    browser.run(f"document.querySelectorAll('#trials th button')[{rate}].click()")
    ascending = [float(text) for text in rows(browser, "trials", rate)]
    assert ascending == sorted(ascending)
    browser.run(f"document.querySelectorAll('#trials th button')[{rate}].click()")
    descending = [float(text) for text in rows(browser, "trials", rate)]
    assert descending == sorted(descending, reverse=True)
    assert descending[0] > ascending[0]
    browser.run("[...document.querySelectorAll('#trials .tools button')][1].click()")
    assert len(rows(browser, "trials", 0)) == 20

    type_filter(browser, "trials", "arm:strict outcome:failed")
    assert set(rows(browser, "trials", head.index("outcome"))) == {"failed"}
    assert set(rows(browser, "trials", head.index("arm"))) == {"strict"}
    type_filter(browser, "trials", "nothing-like-this")
    assert rows(browser, "trials", 0) == []

    failed = summary["counts"]["failed"] + summary["counts"]["crashed"]
    assert f"of {failed} trials" in browser.run(
        "return document.querySelector('#failures .state').textContent"
    )
    assert browser.run("return document.querySelectorAll('#failures svg.spark path').length") > 0

    severe = [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert severe == []
    assert [url for url in browser.requests() if url.startswith(("http", "ws", "ftp"))] == []
    (folder / "page.png").write_bytes(browser.screenshot())


@needs_browser
def test_the_first_screen_states_the_finding_at_any_width_and_in_dark_mode(study, browser):
    arms = {
        "strict": {"name": "strict"},
        "ace": {"name": "ace"},
        "a-very-long-name-of-an-arm" * 3: {"name": "relaxed"},
    }
    folder = study(arms=arms, seeds=3)
    summary = write_report([folder], folder)
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            browser.resize(width, 900, scheme)
            browser.open(folder / "report" / "report.html")
            lead = browser.run("return document.querySelector('.lead').textContent")
            assert next(iter(summary["headlines"].values())) in lead
            assert (
                browser.run("return document.querySelector('.forest').getBoundingClientRect().bottom") < 800
            )
            assert browser.run("return document.documentElement.scrollWidth") <= width
            ground = browser.run("return getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert browser.run("return document.querySelectorAll('.forest .dot').length") == 4
    title = browser.run("return document.querySelector('.forest .track').title")
    assert re.search(r"ace, .*: [+-][\d.]+ \[", title)


@needs_browser
def test_ranges_columns_and_curves(study, browser):
    folder = study(arms={"strict": {"name": "strict"}}, seeds=2)
    write_report([folder], folder)
    browser.open(folder / "report" / "report.html")
    head = browser.run("return [...document.querySelectorAll('#trials th')].map((cell) => cell.textContent)")
    type_filter(browser, "trials", "lr<=1e-3 outcome:learned")
    rates = [float(text) for text in rows(browser, "trials", head.index("lr"))]
    assert rates
    assert max(rates) == 1e-3
    for _ in range(3):
        browser.run("document.querySelectorAll('#trials tbody tr')[0].click()")
    browser.run("document.querySelectorAll('#trials tbody tr')[1].click()")
    assert browser.run("return document.querySelectorAll('#curves figure').length") == 2
    assert browser.run("return document.querySelectorAll('#curves figure path').length") == 4
    browser.run(
        "const svg = document.querySelector('#curves svg'), box = svg.getBoundingClientRect();"
        "svg.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 10, clientY: box.top + 10}))"
    )
    caption = browser.run("return document.querySelector('#curves .caption').textContent")
    assert re.fullmatch(r"epoch 11: train loss [\d.e-]+, val metric [\d.e-]+", caption)
    browser.run("document.querySelector('#trials .columns input').click()")
    assert browser.run("return document.querySelector('#trials td').hidden")
    assert browser.log("browser") == []


@needs_browser
def test_the_page_of_a_study_that_crashed_is_short(study, browser):
    """120 trials that crashed, each for a different reason and with a long traceback."""

    def crash(records):
        frames = "  File x\n" * 60
        traces = (f"Traceback\n{frames}KeyError: 'column {number}'" for number in range(10_000))
        return [replace(r, outcome="crashed", reason="error", detail=next(traces)) for r in records]

    arms = {"strict": {"name": "strict"}, "ace": {"name": "ace"}, "other": {"name": "ace", "dual_lr": 1.0}}
    folder = study(arms=arms, seeds=5, change=crash)
    write_report([folder], folder)
    browser.open(folder / "report" / "report.html")
    browser.resize(1200, 900)
    assert browser.run("return document.documentElement.scrollHeight") < 8_000
    assert "No control in" not in browser.run("return document.body.textContent")
