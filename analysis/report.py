"""The report of one or several results folders: tables, figures, summary.json and report.html."""

import json
import math
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.figures import Picture, make_pictures
from analysis.formats import plain
from analysis.headline import alarms, forest, headlines
from analysis.load import Results, load_results, read_histories, read_test_errors
from analysis.page import make_curves, render
from analysis.poses import pose_lines
from analysis.prepare import controls, name_cases, prepare
from analysis.stated import Stated, read_stated
from analysis.statistics.best_setting import at_chosen_rates
from analysis.statistics.cost import training_share
from analysis.tables import Table, as_csv, as_latex, as_markdown, make_tables
from analysis.trial_table import MISSING
from analysis.wording import finding, limits, warnings
from trainables.results.outcomes import Outcome
from trainables.results.store import Store, open_store

MOST_CURVES = 1000
"""For a larger study, the page contains only the curves of failed trials and those at the chosen learning rates."""


def write_report(
    sources: Iterable[str | Path], to: str | Path | Store, edition: str | None = None
) -> dict[str, Any]:
    """Write report/report.html, summary.json, tables/* and figures/* into the folder `to`; returns the summary.

    If trials are too few, failed, crashed or missing, the report says so.

    Args:
        sources: Results folders, URIs or packed files, analyzed together.
        edition: Name of a page that polls its server for newer ones, see `study watch`; None for a standalone page.

    Raises:
        FileNotFoundError: If a source does not exist.
        ValueError: If a source is not a results folder.
        OSError: If `to` cannot be written.
    """
    store = open_store(to) if isinstance(to, str | Path) else to
    results = [load_results(source) for source in sources]
    if not results:
        raise ValueError("no results folder was given")
    everything = name_cases(_joined([*(one.trials for one in results), *(one.missing for one in results)]))
    trials = prepare(_joined([one.trials for one in results]))
    histories, complaints = _histories(results, trials)
    errors, more = _test_errors(results, trials)
    complaints += more
    tables = make_tables(trials, histories, _stated(results, trials), errors)
    pictures = list(make_pictures(trials, histories, tables))
    curves = make_curves(histories)
    complaints += [f"figure {one.name} could not be drawn ({one.problem})" for one in pictures if one.problem]
    summary = make_summary(results, everything, trials, tables, complaints)
    page = render(results, everything, curves, summary, tables, pictures, edition)

    files = {
        "report.html": page.encode(),
        "summary.json": json.dumps(summary, indent=1, allow_nan=False).encode(),
        "tables/trials.csv": everything.to_csv(index=False).encode(),
        **_table_files(tables),
        **_picture_files(pictures),
    }
    for path, content in files.items():
        store.write(f"report/{path}", content)
    return summary


def make_summary(
    results: list[Results],
    everything: pd.DataFrame,
    trials: pd.DataFrame,
    tables: dict[str, Table],
    complaints: list[str],
) -> dict[str, Any]:
    """Every number of the report, and its sentences; None for unknown values."""
    outcomes = everything["outcome"].value_counts()
    counts = {"planned": len(everything)}
    counts |= {name: int(outcomes.get(name, 0)) for name in (*map(str, Outcome), MISSING)}
    failures, crashes = (
        {str(reason): int(count) for reason, count in reasons.value_counts().items()}
        for reasons in (
            everything.loc[everything["outcome"] == name, "reason"]
            for name in (Outcome.FAILED, Outcome.CRASHED)
        )
    )
    return {
        "studies": [
            {"name": one.name, "trials": len(one.trials), "missing": len(one.missing)} for one in results
        ],
        "counts": counts,
        "reasons": {"failed": failures, "crashed": crashes},
        "cases": list(trials["case"].unique()),
        "seeds": int(trials["seed"].nunique()),
        "training_share": training_share(everything),
        "warnings": [plain(line) for line in warnings(trials)],
        "alarms": [
            *(plain(f"{one.name}: {line}") for one in results for line in one.alarms),
            *alarms(counts, _versions(everything)),
        ],
        "headlines": (
            {case: plain(text) for case, text in headlines(trials, tables).items()} if len(trials) else {}
        ),
        "forest": forest(trials, tables) if len(trials) else [],
        "finding": [
            *(plain(f"{one.name}: {line}") for one in results for line in one.alarms),
            *(plain(line) for line in finding(counts, trials, tables)),
        ],
        "limits": [
            plain(line)
            for line in (
                *limits(counts, crashes, trials, tables, _without_control(everything, trials)),
                *pose_lines(trials),
            )
        ],
        "notes": [f"{one.name}: {line}" for one in results for line in one.complaints] + complaints,
        "versions": _versions(everything),
        "software": _software(),
        "tables": {name: _records(table.frame) for name, table in tables.items()},
    }


def _stated(results: list[Results], trials: pd.DataFrame) -> dict[str, Stated]:
    """By case, the declarations of the first study with its first trial; studies may share a name."""
    configs = {trial: one.config for one in reversed(results) for trial in one.trials["trial"]}
    first = trials.drop_duplicates("case")
    return {
        case: read_stated(configs[trial]) for case, trial in zip(first["case"], first["trial"], strict=True)
    }


def _without_control(everything: pd.DataFrame, trials: pd.DataFrame) -> list[str]:
    """The cases whose planned strict arm has no result."""
    planned, judged = controls(everything), controls(trials)
    return [case for case in trials["case"].unique() if case in planned and case not in judged]


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def _histories(results: list[Results], trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The histories that the page shows: of all trials, or of the failed ones and those at the chosen rates."""
    wanted = set(trials["trial"]) if len(trials) else set()
    if len(wanted) > MOST_CURVES:
        wanted = {*trials.loc[trials["failed"], "trial"], *at_chosen_rates(trials)["trial"]}
    return _read_from_each(results, wanted, read_histories)


def _test_errors(results: list[Results], trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The errors on each test sample of the trials that learned at the chosen rates."""
    judged = at_chosen_rates(trials[~trials["failed"]]) if len(trials) else trials
    return _read_from_each(results, set(judged["trial"]) if len(judged) else set(), read_test_errors)


def _read_from_each(
    results: list[Results],
    wanted: set[str],
    read: Callable[[str, list[str]], tuple[pd.DataFrame, list[str]]],
) -> tuple[pd.DataFrame, list[str]]:
    """The results of `read` for the wanted trials, each from the first folder that has it, and its complaints."""
    tables, complaints, missing = [], [], set(wanted)
    for one in results:
        table, bad = read(one.source, [trial for trial in one.trials["trial"] if trial in missing])
        missing -= set(table["trial"].astype(object))
        tables.append(table)
        complaints += [f"{one.name}: {line}" for line in bad]
    return _joined(tables).astype({"trial": object}), complaints


def _versions(trials: pd.DataFrame) -> dict[str, list[str]]:
    """The versions that the trials ran with, by package."""
    columns = [name for name in trials if name.startswith("versions.")]
    return {
        name.removeprefix("versions."): sorted(trials[name].dropna().astype(str).unique()) for name in columns
    }


def _software() -> str:
    try:
        return version("equivariance-study")
    except PackageNotFoundError:
        return "unknown"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects."""
    return [{key: _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table_files(tables: dict[str, Table]) -> dict[str, bytes]:
    files = {}
    for name, table in tables.items():
        for kind, write in (("csv", as_csv), ("md", as_markdown), ("tex", as_latex)):
            files[f"tables/{name}.{kind}"] = write(table).encode()
    return files


def _picture_files(pictures: list[Picture]) -> dict[str, bytes]:
    return {
        f"figures/{picture.name}.{kind}": content
        for picture in pictures
        for kind, content in picture.files.items()
    }
