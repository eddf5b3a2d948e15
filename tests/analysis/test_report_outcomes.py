"""The report shows whatever results exist, however few."""

import html
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from analysis.report import write_report
from analysis.terminal import closing
from trainables.results.store import LocalStore


@pytest.fixture
def only_svg(monkeypatch):
    """Draw every figure, but in only one format."""
    monkeypatch.setattr("analysis.plots.files.FORMATS", {"svg": {}})


def page_of(folder):
    return (folder / "report" / "report.html").read_text()


def test_import_is_light():
    code = "import sys, analysis, analysis.report; print([m for m in ('torch', 'ray') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_full_study(study):
    folder = study(seeds=3, crashed=2, missing=1)
    summary = write_report([folder], folder)
    assert summary == json.loads((folder / "report" / "summary.json").read_text())
    assert summary["counts"]["planned"] == 84
    assert summary["counts"]["crashed"] == 2
    assert summary["counts"]["missing"] == 1
    assert any("2 trials crashed" in line for line in summary["limits"])
    figures = {path.name for path in (folder / "report" / "figures").iterdir()}
    assert {"overview.svg", "overview.pdf", "overview.png"} <= figures
    tables = {path.name for path in (folder / "report" / "tables").iterdir()}
    assert {"failure_rates.csv", "failure_rates.md", "failure_rates.tex"} <= tables


def test_an_arm_whose_constraint_was_not_met_is_marked_near_the_top(no_figures, study):
    def change(records):
        sizes = {"ace": (0.6, 0.02), "relaxed": (0.0,), "strict": (None,)}
        return [
            replace(record, constraint_at_projection=values[index % len(values)])
            for index, record in enumerate(records)
            for values in [sizes[record.spec["method"]["name"]]]
        ]

    arms = {name: {"name": name} for name in ("strict", "relaxed", "ace")}
    folder = study(seeds=2, arms=arms, change=change)
    summary = write_report([folder], folder)
    (line,) = summary["warnings"]
    assert "the constraint of ace was not met at the projection in 7 of 14 trials" in line
    assert "up to 0.6" in line
    page = page_of(folder)
    marked = page.index(line.split("(")[0])
    assert page.index('class="lead"') < marked < page.index('class="forest"')
    assert line in " ".join(closing(summary).split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outcome": "failed"}, "every trial failed"),
        ({"outcome": "crashed"}, "none produced a result"),
        ({"seeds": 1}, "One seed only"),
        ({"rates": [1e-3]}, "One learning rate only"),
        ({"arms": {"strict": {"name": "strict"}}}, "One arm only"),
        (
            {"arms": {"ace": {"name": "ace"}, "other": {"name": "relaxed"}}},
            "No control in",
        ),
        ({"missing": 28}, "none of 28 planned trials has a result"),
        ({"goal": "max"}, "accuracy"),
    ],
)
def test_few_or_poor_results(only_svg, study, options, words):
    folder = study(**{"seeds": 2, "arms": {"strict": {"name": "strict"}, "ace": {"name": "ace"}}} | options)
    summary = write_report([folder], folder)
    assert words in " ".join(summary["finding"] + summary["limits"])
    assert page_of(folder).endswith("</html>")


def test_empty_folder(tmp_path):
    summary = write_report([tmp_path], tmp_path)
    assert summary["finding"] == ["No finding: the folder contains no trials."]
    assert any("study.yaml: missing" in note for note in summary["notes"])


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such results folder"):
        write_report([tmp_path / "nowhere"], tmp_path)


def test_markup_in_names_is_text(only_svg, study):
    name = "<script>alert(1)</script>"
    arms = {"strict": {"name": "strict"}, "</script><b>": {"name": "ace"}}
    folder = study(name="harmless", config={"name": name}, arms=arms, seeds=2)
    write_report([folder], folder)
    page = page_of(folder)
    assert name not in page
    assert "</script><b>" not in page


def test_several_folders(no_figures, study):
    first, second = study(name="one", seeds=2), study(name="two", seeds=2, model="segnn")
    summary = write_report([first, second], LocalStore(first))
    assert summary["cases"] == ["nbody · egnn", "nbody · segnn"]
    assert [one["name"] for one in summary["studies"]] == ["one", "two"]


def test_learned_trials_without_a_score_are_reported(no_figures, study):
    def unscored(records):
        return [replace(records[0], test_metric=None, val_metric=None), *records[1:]]

    folder = study(seeds=2, rates=[1e-3], arms={"strict": {"name": "strict"}}, change=unscored)
    limits = write_report([folder], folder)["limits"]
    assert any("1 learned trial without a finite test score" in line for line in limits)


def test_a_folder_and_its_copy_give_the_tables_of_the_folder(no_figures, study, tmp_path):
    """Histories and test errors of a shared trial are read once."""
    folder, copy = study(seeds=3), study(name="copy", seeds=3)
    alone, both = write_report([folder], tmp_path / "alone"), write_report([folder, copy], tmp_path / "both")
    assert "sample_contrasts" in alone["tables"]
    assert both["tables"] == alone["tables"]


def test_studies_of_one_name_keep_their_own_declarations(no_figures, study, tmp_path):
    def published(value):
        entry = {"arm": "strict", "metric": "position_mse", "value": value}
        return {"name": "twice", "grid": {"seed": 5}, "published": [entry]}

    folders = [
        study(name="one", seeds=2, config=published(0.007)),
        study(name="two", seeds=2, model="segnn", config=published(0.004)),
    ]
    rows = write_report(folders, tmp_path / "both")["tables"]["published"]
    assert {row["case"]: row["published"] for row in rows} == {"nbody · egnn": 0.007, "nbody · segnn": 0.004}


def test_a_trial_in_two_folders_counts_once(no_figures, study):
    arms = {"strict": {"name": "strict"}, "ace": {"name": "ace"}}
    first, second = study(name="one", seeds=2, arms=arms), study(name="two", seeds=2, arms=arms)
    summary = write_report([first, second], first)
    assert {row["n"] for row in summary["tables"]["failure_rates"]} == {14}


@pytest.mark.parametrize(
    ("low", "words"), [(0.58, "have a preferred direction"), (0.47, "no preferred direction")]
)
def test_one_sentence_says_whether_the_data_have_a_preferred_direction(no_figures, study, low, words):
    def change(records):
        areas = {"auc": 0.61, "low": low, "high": 0.64}
        return [replace(record, anisotropy=areas if index else {}) for index, record in enumerate(records)]

    folder = study(seeds=2, change=change)
    (line,) = [line for line in write_report([folder], folder)["limits"] if "direction" in line]
    assert words in line
    assert f"0.610 [{low:.3f}, 0.640]" in line
    assert line in html.unescape(page_of(folder))


def test_older_records_say_nothing_about_directions(no_figures, study):
    folder = study(seeds=2)
    assert not any("direction" in line for line in write_report([folder], folder)["limits"])
