"""Names of arms are shown as written, in figures, tables and on the page, whatever they contain."""

import re

import pytest

from analysis import figures
from analysis.plots.files import figure_files
from analysis.plots.labels import fitting, named
from analysis.report import write_report
from analysis.tables.table import latex, markdown

NAMES = [
    "Ba$$in",
    r"$\alpha$ and $x_1",
    "a|b",
    "_low_ *stars* `code` ~x~",
    "#1 & 50% <b>bold</b>",
    "two\nlines",
    "x" * 300,
    "等变 ü",
    "\u202eright to left\u202c שלום",
    "[link](http://example.org)",
    "\\end{tabular} {x}",
    "bell\x07",
]


@pytest.fixture
def only_svg(monkeypatch):
    monkeypatch.setattr("analysis.plots.files.FORMATS", {"svg": {"metadata": {"Date": None}}})
    monkeypatch.setattr("analysis.figures.MOST_CASES", 1)


def test_a_study_with_awkward_names_has_its_whole_report(only_svg, study):
    arms = {"strict": {"name": "strict"}} | {
        name: {"name": "ace", "dual_lr": 1.0 + at} for at, name in enumerate(NAMES)
    }
    folder = study(arms=arms, seeds=2, rates=[1e-3, 1e-2])
    summary = write_report([folder], folder)
    assert not [note for note in summary["notes"] if "could not be drawn" in note]
    page = (folder / "report/report.html").read_text()
    assert "<b>bold</b>" not in page
    assert "Ba$$in" in page
    assert "\u202e" not in " ".join(summary["finding"] + summary["limits"])
    for table in (folder / "report/tables").glob("*.md"):
        rows = [line for line in table.read_text().splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_drawn_and_is_not_read_as_a_formula(name):
    from matplotlib.figure import Figure

    from analysis.plots.style import styled

    @styled
    def draw():
        figure = Figure((3, 2), layout="constrained")
        axes = figure.subplots()
        lines = axes.plot([1, 2])
        axes.set_title(name)
        figure.legend(lines, [named(name)])
        return figure

    files = figure_files(draw())
    assert set(files) == {"svg", "pdf", "png"}
    assert all(len(line) <= 80 for line in fitting(name).split("\n"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"a\|b"),
        ("low_rate", "low_rate"),
        ("_low_", r"\_low\_"),
        ("<b> & *", r"&lt;b> &amp; \*"),
        ("a\nb", r"a\\nb"),
        ("[a](b)", r"[a\](b)"),
        ("[0.1, 0.2]", "[0.1, 0.2]"),
        ("$x$", r"\$x\$"),
    ],
)
def test_markdown(name, shown):
    assert markdown(name) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"a\textbar{}b"),
        ("50% & #1_$", r"50\% \& \#1\_\$"),
        ("a\nb", r"a\textbackslash{}nb"),
        ("<{~^}>", r"\textless{}\{\textasciitilde{}\textasciicircum{}\}\textgreater{}"),
    ],
)
def test_latex(name, shown):
    assert latex(name) == shown


def test_a_name_that_begins_with_an_underscore_is_in_the_legend(study):
    from analysis import plots
    from analysis.load import load_trials
    from analysis.prepare import prepare

    arms = {"strict": {"name": "strict"}, "_low": {"name": "ace"}}
    figure = plots.failure_rate(prepare(load_trials(study(arms=arms, seeds=2, rates=[1e-3, 1e-2]))))
    assert [text.get_text().strip() for text in figure.legends[0].get_texts()] == ["strict", "_low"]


def test_a_figure_that_fails_affects_no_other(only_svg, study, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no\nink")

    monkeypatch.setattr(figures.plots, "loss_against_rate", broken)
    monkeypatch.setattr(figures.plots, "overview", broken)
    folder = study(seeds=2, rates=[1e-3])
    summary = write_report([folder], folder)
    assert (
        len([note for note in summary["notes"] if "could not be drawn (RuntimeError: no ink)" in note]) == 2
    )
    assert (folder / "report/report.html").read_text().count(
        "This figure could not be drawn (RuntimeError: no ink)."
    ) == 2
    names = [path.name for path in (folder / "report/figures").iterdir()]
    assert any(name.startswith("failure_rate") for name in names)
    assert not any(name.startswith(("loss", "overview")) for name in names)


def test_a_strict_arm_that_crashed_is_not_reported_as_missing(no_figures, study):
    from dataclasses import replace

    def crash(records):
        crashed = {
            "outcome": "crashed",
            "reason": "error",
            "detail": "Traceback\n" + "x\n" * 100 + "KeyError: 'a'",
        }
        return [replace(r, **crashed) if r.spec["method"]["name"] == "strict" else r for r in records]

    arms = {"strict": {"name": "strict"}, "ace": {"name": "ace"}, "other": {"name": "ace", "dual_lr": 1.0}}
    folder = study(arms=arms, seeds=2, rates=[1e-3], change=crash)
    limits = " ".join(write_report([folder], folder)["limits"])
    assert "The strict arm has no result in: nbody · egnn" in limits
    assert "No control in" not in limits
    page = (folder / "report/report.html").read_text()
    assert "KeyError: " in page
    assert "x\\nx" not in page
