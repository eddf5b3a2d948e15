"""Finished trials in TensorBoard, MLflow or Weights & Biases, for those who watch studies there.

Off unless asked for; the package is imported only then. The results folder stays the record: what a logger
does not take is not lost.
"""

import io
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pyarrow.parquet

from trainables.errors import BadInput
from trainables.results.record import Record, history_path, read_records
from trainables.results.store import Store

Rows = list[dict[str, float]]
Logger = Callable[[Record, Rows], None]
"""Takes the record and the history of a trial that ended."""


def log_trial(loggers: Sequence[Logger], store: Store, trial_id: str) -> None:
    """Hand a trial that ended to the loggers; what goes wrong there is said and does not stop the run."""
    records, _ = read_records(store, [trial_id])
    rows = pyarrow.parquet.read_table(io.BytesIO(store.read(history_path(trial_id)))).to_pylist()
    for log in loggers:
        try:
            log(records[trial_id], rows)
        except Exception as error:  # a tracking server has many ways to be away
            print(f"logger: {trial_id}: {type(error).__name__}: {error}")


def tensorboard(folder: str) -> Logger:
    """Writes one run per trial below `folder`: each column of the history as a scalar over the steps."""
    writer_of = _package("tensorboardX", "--tensorboard").SummaryWriter

    def log(record: Record, rows: Rows) -> None:
        with writer_of(f"{folder}/{record.id}") as writer:
            writer.add_text("spec", str(record.spec))
            for row in rows:
                for name, value in _columns(row).items():
                    writer.add_scalar(name, value, row["step"])

    return log


def mlflow(uri: str) -> Logger:
    """Logs one run per trial to the tracking server, or folder, at `uri`."""
    client = _package("mlflow", "--mlflow")
    client.set_tracking_uri(uri)

    def log(record: Record, rows: Rows) -> None:
        with client.start_run(run_name=record.id):
            client.log_params(_settings(record))
            for row in rows:
                client.log_metrics(_columns(row), step=int(row["step"]))

    return log


def wandb(project: str) -> Logger:
    """Logs one run per trial to a project of Weights & Biases."""
    client = _package("wandb", "--wandb")

    def log(record: Record, rows: Rows) -> None:
        run = client.init(project=project, name=record.id, config=_settings(record), reinit=True)
        for row in rows:
            run.log(_columns(row), step=int(row["step"]))
        run.finish()

    return log


def _package(name: str, option: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise BadInput(f"{option}: needs the package {name}; pip install {name}") from error


def _columns(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name not in ("step", "epoch") and value is not None}


def _settings(record: Record) -> dict[str, Any]:
    training = record.spec["training"]
    method = record.spec["method"]
    return {
        "model": record.spec["model"]["name"],
        "task": record.spec["task"]["name"],
        "method": method["name"],
        "schedule": method.get("schedule"),
        "lr": training["lr"],
        "optimizer": training["optimizer"],
        "seed": record.spec["seed"],
        "outcome": record.outcome,
    }
