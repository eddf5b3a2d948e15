"""The HTML page: one file that loads nothing from outside."""

import base64
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, Template

from analysis.figures import Picture
from analysis.load import Results
from analysis.tables import Table
from trainables.results.outcomes import Outcome

TRIAL_COLUMNS = (
    *(
        "study",
        "case",
        "arm",
        "lr",
        "seed",
        "outcome",
        "reason",
        "val_metric",
        "test_metric",
        "equivariance_error",
    ),
    *("epochs", "seconds", "trial"),
)
FAILURE_COLUMNS = ("study", "case", "arm", "lr", "seed", "outcome", "reason", "detail", "trial")
CURVE_POINTS = 32
DETAIL = 300  # characters


def render(
    results: list[Results],
    trials: pd.DataFrame,
    curves: dict[str, Any],
    summary: dict[str, Any],
    tables: dict[str, Table],
    pictures: list[Picture],
    edition: str | None = None,
) -> str:
    """The whole page.

    Args:
        trials: Every planned trial with its case, missing ones too.
        curves: Result of `make_curves`.
        edition: See `write_report`.
    """
    unfinished = trials[trials["outcome"].isin([Outcome.FAILED, Outcome.CRASHED])]
    return _template("report.html").render(
        edition=edition,
        results=results,
        summary=summary,
        tables=tables,
        cases=list(dict.fromkeys(picture.case for picture in pictures if picture.case)),
        all_cases=summary["cases"],
        pictures=[(picture, data_uri(picture.files["svg"]) if picture.files else "") for picture in pictures],
        trials={"columns": TRIAL_COLUMNS, "rows": cells(trials, TRIAL_COLUMNS)},
        failures={
            "columns": FAILURE_COLUMNS,
            "rows": cells(unfinished.assign(detail=unfinished["detail"].map(_last_line)), FAILURE_COLUMNS),
            "sparks": True,
        },
        curves=curves,
    )


def waiting_page(name: str) -> str:
    """The page that `study watch` shows for the results folder of that name before there is a report."""
    return _template("waiting.html").render(name=name)


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("analysis"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)


def cells(table: pd.DataFrame, columns: tuple[str, ...]) -> list[list[Any]]:
    """Columns of a table as rows of JSON values; numbers with four digits, None for missing values."""
    values = []
    for name in columns:
        column = table[name]
        if pd.api.types.is_float_dtype(column):
            values.append(
                [float(f"{value:.4g}") if np.isfinite(value) else None for value in column.to_numpy()]
            )
        else:
            values.append([None if pd.isna(value) else value for value in column.tolist()])
    return [list(row) for row in zip(*values, strict=True)]


def _last_line(detail: Any) -> Any:
    """The last line of a trial's detail; the whole traceback is in the trial's log."""
    lines = detail.strip().splitlines() if isinstance(detail, str) else []
    return lines[-1][:DETAIL] if lines else detail


def make_curves(histories: pd.DataFrame) -> dict[str, Any]:
    """Epochs, training loss and validation metric of each trial, downsampled, at the epochs that were validated."""
    names = [name for name in ("epoch", "train_loss", "val_metric") if name in histories]
    if len(names) < 2:
        return {}
    groups = histories.groupby("trial", sort=False, observed=True)
    return {
        str(trial): {name: downsample(shown[name].to_numpy(float)) for name in names}
        for trial, rows in groups
        for shown in [worth_drawing(rows)]
    }


def worth_drawing(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a history that were validated, and the last one; all rows if fewer than two were validated."""
    if "val_metric" not in rows or rows["val_metric"].notna().sum() < 2:
        return rows
    ends = np.arange(len(rows)) == len(rows) - 1
    return rows[rows["val_metric"].notna() | ends]


def downsample(values: np.ndarray) -> list[float | None]:
    """At most 32 of the values (epochs,), first and last among them; None where one is not finite."""
    if len(values) > CURVE_POINTS:
        values = values[np.linspace(0, len(values) - 1, CURVE_POINTS).round().astype(int)]
    return [float(f"{value:.3g}") if np.isfinite(value) else None for value in values]


def data_uri(svg: bytes) -> str:
    """An SVG picture as a data URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
