"""From a results folder, or its packed file, to tidy tables: one row per trial, one row per trial and epoch."""

import io
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.trial_table import trial_table, whole_counts
from trainables.results.alarms import alarms
from trainables.results.folder import CONFIG, PLAN, TRIAL_NAME, Damaged, read_config, read_plan
from trainables.results.pack import first_line, open_source
from trainables.results.record import (
    UNFIT,
    files_of,
    fits,
    history_path,
    read_records,
    test_errors_path,
)
from trainables.results.store import Store, read_all


@dataclass(frozen=True)
class Results:
    """The contents of a results folder.

    Attributes:
        trials: One row per trial with an outcome.
        missing: One row per planned trial without one.
        config: The content of study.yaml, empty if it cannot be read.
        complaints: A line for each thing that could not be read or trusted.
        alarms: What a reader must know before the numbers; see `trainables.results.alarms`.
    """

    source: str
    name: str
    config: dict[str, Any]
    trials: pd.DataFrame
    missing: pd.DataFrame
    complaints: list[str]
    alarms: list[str] = field(default_factory=list)


def load_trials(source: str | Path) -> pd.DataFrame:
    """One row per trial that has an outcome: learned, failed or crashed.

    Warns of files that cannot be trusted. Planned trials without an outcome are in `load_results(source).missing`.

    Args:
        source: A results folder, its s3:// URI, or a file written by `trainables.results.pack.pack`.

    Returns:
        Columns trial, study, task, model, arm, method, schedule, lr, seed, outcome, reason, val_metric, test_metric,
        loss_at_init, equivariance_error, epochs, steps, seconds, cpu_seconds, relaxed_layers, params_train,
        params_final, and further numbers of the record; `tests.NAME` for further test sets; `anisotropy.auc`, `.low`
        and `.high`, how well a classifier tells the training data from rotated ones; `task.OPTION`, `model.OPTION`,
        `method.OPTION`, `training.OPTION` and `failure.RULE` for the settings; `spec`, a hash of all settings;
        `pair`, a hash of all settings except the arm's own; `control`, the arm that the study names as its control;
        `own`, the training settings in which the arm differs from the others, with theirs in `base.training.OPTION`;
        `round`, 1 for the grid; `searched`, only if a study drew its learning rates.
    """
    results = load_results(source)
    for complaint in (*results.complaints, *results.alarms):
        warnings.warn(complaint, stacklevel=2)
    return results.trials


def load_results(source: str | Path) -> Results:
    """A results folder without the histories and test errors; FileNotFoundError or ValueError if there is none."""
    store = open_source(source)
    complaints: list[str] = []
    config = _read_config(store, complaints)
    name = config.get("name") or Path(str(source)).stem or "study"
    plan = _read_plan(store, complaints)
    records, bad = read_records(store, list(dict.fromkeys(entry["id"] for entry in plan)))
    complaints += bad
    table = trial_table(plan, name, records, _control(config))
    recorded = table["trial"].isin(list(records))
    if isinstance(config.get("search"), dict):
        table = table.assign(searched=True)
    trials, missing = (table[rows].reset_index(drop=True) for rows in (recorded, ~recorded))
    return Results(
        str(source),
        name,
        config,
        whole_counts(trials),
        whole_counts(missing),
        complaints,
        alarms(records.values()),
    )


def _control(config: dict[str, Any]) -> str | None:
    """The control that a study.yaml names."""
    control = config.get("control")
    return control if isinstance(control, str) else None


def load_history(source: str | Path, trials: Iterable[str] | None = None) -> pd.DataFrame:
    """One row per trial and epoch.

    A history that does not fit its record is left out with a warning.

    Args:
        source: A results folder, its s3:// URI, or a packed file.
        trials: Ids, all with an outcome if None.

    Returns:
        Columns trial, epoch, step, theta, train_loss, val_metric, val_loss, grad_norm, penalty, equivariance_error,
        lr, seconds and whatever else the method reports.
    """
    table, complaints = read_histories(source, trials)
    for complaint in complaints:
        warnings.warn(complaint, stacklevel=2)
    return table


def read_histories(source: str | Path, trials: Iterable[str] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """The table of `load_history`, and one line for each history that is missing or cannot be trusted."""
    return _read_files(source, trials, history_path, "history", "epoch")


def load_test_errors(source: str | Path, trials: Iterable[str] | None = None) -> pd.DataFrame:
    """One row per trial and test sample, with columns `trial`, `sample`, and one for each error of the task.

    Errors are in the units of the task's metrics, `metric` of `load_trials` among them, in float32. Samples are
    numbered as in the test set, which all trials of one task share. Trials that were not tested, or were run before
    these errors were recorded, have no rows. A file that does not fit its record is left out with a warning.

    Args:
        source: A results folder, its s3:// URI, or a packed file.
        trials: Ids, all with an outcome if None.
    """
    table, complaints = read_test_errors(source, trials)
    for complaint in complaints:
        warnings.warn(complaint, stacklevel=2)
    return table


def read_test_errors(
    source: str | Path, trials: Iterable[str] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The table of `load_test_errors`, and one line for each file that is missing or cannot be trusted."""
    table, complaints = _read_files(source, trials, test_errors_path, "table of test errors", "sample")
    numbers = table.groupby("trial", sort=False, observed=True).cumcount()
    errors = {
        name: pd.to_numeric(table[name], errors="coerce")
        for name in table.columns.difference(["trial", "sample"], sort=False)
    }
    return pd.DataFrame({"trial": table["trial"], "sample": numbers, **errors}), complaints


def _read_files(
    source: str | Path, trials: Iterable[str] | None, path_of: Callable[[str], str], kind: str, counter: str
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of one file of each trial, concatenated, and one line for each file that is not available.

    Args:
        path_of: From a trial's id to the file.
        kind: Name of the kind of file, for complaints.
        counter: The column that even an empty table has.
    """
    store = open_source(source)
    ids = [entry["id"] for entry in _read_plan(store, [])] if trials is None else list(trials)
    records, complaints = read_records(store, list(dict.fromkeys(ids)))
    expected = [trial for trial, record in records.items() if path_of(trial) in files_of(record)]
    contents = read_all(store, [path_of(trial) for trial in expected])
    tables = []
    for trial in expected:
        path, content = path_of(trial), contents.get(path_of(trial))
        if content is None:
            complaints.append(f"{path}: missing")
        elif not fits(records[trial], path, content):
            complaints.append(f"{path}: {UNFIT}")
        else:
            try:
                tables.append(_labeled(content, trial))
            except (pa.ArrowException, OSError, ValueError) as error:
                complaints.append(f"{path}: not a {kind} ({first_line(error)})")
    if not tables:
        return pd.DataFrame({"trial": pd.Series(dtype=str), counter: pd.Series(dtype=float)}), complaints
    table = pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()
    return table.to_pandas(), complaints


def _labeled(content: bytes, trial: str) -> pa.Table:
    """A trial's file with the trial's id as its first column."""
    rows = pq.read_table(io.BytesIO(content), use_threads=False)
    rows = rows.select([name for name in rows.column_names if name != "trial"])
    label = pa.DictionaryArray.from_arrays(pa.array([0] * len(rows), pa.int32()), pa.array([trial]))
    return rows.add_column(0, "trial", label)


def _read_config(store: Store, complaints: list[str]) -> dict[str, Any]:
    """The content of study.yaml; empty if it cannot be read."""
    try:
        return read_config(store)
    except FileNotFoundError:
        complaints.append(f"{CONFIG}: missing")
    except Damaged as error:
        complaints.append(f"{CONFIG}: cannot be read ({first_line(error)})")
    return {}


def _read_plan(store: Store, complaints: list[str]) -> list[dict[str, Any]]:
    """The planned trials; if no plan can be read, one trial for each trial folder."""
    on_disk = store.names("trials")
    try:
        plan = read_plan(store)
    except (FileNotFoundError, Damaged) as error:
        reason = f"cannot be read ({first_line(error)})" if isinstance(error, Damaged) else "missing"
        complaints.append(f"{PLAN}: {reason}; which trials are missing is unknown")
        return [{"id": name} for name in on_disk if TRIAL_NAME.fullmatch(name)]
    if plan.num_skipped:
        complaints.append(f"{PLAN}: {plan.num_skipped} entries are not trials")
    unplanned = len(set(on_disk) - set(plan.ids))
    if unplanned:
        complaints.append(f"{PLAN}: {unplanned} trials in the folder are not in the plan and are left out")
    return plan.entries
