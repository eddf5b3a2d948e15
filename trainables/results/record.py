"""The files a trial writes: record, history and errors on the test set.

Loads neither torch nor ray, so that analysis may use it. The record contains checksums of itself and of both
files, so that a file that was truncated, changed or put in the wrong place is detected and counts as missing.
"""

import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainables.results.canonical import content_hash
from trainables.results.outcomes import Outcome, Reason
from trainables.results.renamed import with_present_names
from trainables.results.store import Store, read_all

UNFIT = "its checksum does not match its record"


class BadRecord(ValueError):
    """A record or history that cannot be trusted; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Record:
    """The outcome of one trial. Numbers that are unknown or not finite are None.

    Attributes:
        reason: Why it failed or crashed; None for a trial that learned.
        detail: The reason in one line, with its numbers; for a crash the exception and where it was raised.
        metric, metric_goal: Name of the judged number; "min" or "max".
        val_metric, val_loss: Of the delivered model, which is that of the best epoch on validation or of the last.
        test_metric: Read once, on the delivered model.
        tests: Further metrics and test sets, name -> value.
        trivial: The metric of the trivial predictor on validation.
        loss_at_init: Validation loss of the strict network before the first step.
        theta_area: Mean over all steps of theta, or of the largest |gamma|.
        constraint_at_projection: Theta, or the largest |gamma|, just before the projection; 0 if the
            constraint is met.
        before_projection, after_projection: Validation metric before and after the projection.
        equivariance_error: Largest |f(gx) - g f(x)| / |f(x)| in float64, of the delivered model.
        equivariance_errors: The same by kind of transformation.
        anisotropy: How well a classifier tells the training data from rotated data: the area under its ROC curve
            ("auc") with its 95% interval ("low", "high"); empty if there are too few samples.
        relaxed_layers: Number of layers relaxed in training, each verified to have been called; 0 for a
            strict trial.
        params_train, params_final: Numbers of parameters while training and as delivered.
        seconds: Wall time of the trial, interrupted attempts included.
        cpu_seconds: Processor time of its training, of all threads and processes, interrupted attempts included; None
            if a GPU trained it, or if it was not measured, as in older records.
        started, worker: When (seconds since 1970) and in which process (host:pid) its last attempt began.
        device, versions: The device and the software versions that it ran with.
        sources: Hashes of its data files and of the modules that it names.
    """

    id: str
    spec: dict[str, Any]
    outcome: Outcome
    reason: Reason | None = None
    detail: str = ""
    metric: str | None = None
    metric_goal: str | None = None
    val_metric: float | None = None
    val_loss: float | None = None
    test_metric: float | None = None
    tests: dict[str, float | None] = field(default_factory=dict)
    trivial: float | None = None
    loss_at_init: float | None = None
    theta_area: float | None = None
    constraint_at_projection: float | None = None
    before_projection: float | None = None
    after_projection: float | None = None
    equivariance_error: float | None = None
    equivariance_errors: dict[str, float | None] = field(default_factory=dict)
    anisotropy: dict[str, float] = field(default_factory=dict)
    best_epoch: int | None = None
    epochs: int = 0
    steps: int = 0
    relaxed_layers: int | None = None
    params_train: int | None = None
    params_final: int | None = None
    seconds: float = 0.0
    cpu_seconds: float | None = None
    started: float | None = None
    worker: str = ""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    history_sha256: str | None = None
    test_errors_sha256: str | None = None


_WELL_TYPED = TypeAdapter(Record)


def finite(value: float | None) -> float | None:
    """The value, or None if it is not a finite number."""
    return float(value) if value is not None and math.isfinite(value) else None


def record_path(trial_id: str) -> str:
    """Path of a trial's record in the results folder."""
    return f"trials/{trial_id}/record.json"


def history_path(trial_id: str) -> str:
    """Path of a trial's history in the results folder."""
    return f"trials/{trial_id}/history.parquet"


def test_errors_path(trial_id: str) -> str:
    """Path, in the results folder, of a model's errors on each test sample."""
    return f"trials/{trial_id}/test_errors.parquet"


def log_path(trial_id: str) -> str:
    """Path, in the results folder, of what a trial printed, with its traceback if it crashed."""
    return f"trials/{trial_id}/log.txt"


def attempts_path(trial_id: str) -> str:
    """Path, in the results folder, of the attempts at an unfinished trial."""
    return f"trials/{trial_id}/attempts.json"


def encode_record(record: Record) -> bytes:
    """The record as JSON with its own checksum."""
    content = asdict(record)
    content["checksum"] = content_hash(content)
    return json.dumps(content, indent=1, allow_nan=False).encode()


def decode_record(content: bytes, trial_id: str) -> Record:
    """The record of `trial_id` from its bytes; keys of a newer version are ignored.

    Raises:
        BadRecord: If they are not an intact record of this trial.
    """
    where = record_path(trial_id)
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{where}: not JSON ({error})") from error
    if not isinstance(loaded, dict) or loaded.pop("checksum", None) != content_hash(loaded, allow_nan=True):
        raise BadRecord(f"{where}: its checksum does not match its content")
    if loaded.get("id") != trial_id or loaded.get("outcome") not in list(Outcome):
        raise BadRecord(f"{where}: is the record of another trial")
    known = {entry.name for entry in fields(Record)}
    try:
        record = _WELL_TYPED.validate_python({key: value for key, value in loaded.items() if key in known})
    except ValidationError as error:
        complaint = error.errors()[0]
        raise BadRecord(f"{where}: {complaint['loc'][0]}: {complaint['msg']}") from error
    return replace(record, spec=with_present_names(record.spec))


def read_records(store: Store, trial_ids: list[str]) -> tuple[dict[str, Record], list[str]]:
    """The good records of the given trials by id, and one line for each bad one."""
    records, complaints = {}, []
    contents = read_all(store, [record_path(trial_id) for trial_id in trial_ids])
    for trial_id in trial_ids:
        content = contents.get(record_path(trial_id))
        if content is None:
            continue
        try:
            records[trial_id] = decode_record(content, trial_id)
        except BadRecord as error:
            complaints.append(str(error))
    return records, complaints


def damaged_files(store: Store, records: Iterable[Record]) -> dict[str, str]:
    """By id, a line for each record with a file that exists but is not the one that was written with it."""

    def damaged(record: Record) -> str | None:
        for path in files_of(record):
            try:
                if not fits(record, path, store.read(path)):
                    return path
            except (FileNotFoundError, NotADirectoryError):
                continue
        return None

    records = list(records)
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(damaged, records)
        return {record.id: f"{path}: {UNFIT}" for record, path in zip(records, found, strict=True) if path}


def files_of(record: Record) -> dict[str, str | None]:
    """The files that a trial has besides its record, by path, with the checksum of each from the record.

    Records from before test errors were stored do not list any.
    """
    files = {history_path(record.id): record.history_sha256}
    if record.test_errors_sha256 is not None:
        files[test_errors_path(record.id)] = record.test_errors_sha256
    return files


def fits(record: Record, path: str, content: bytes) -> bool:
    """Whether the content of a file is what was written with the record."""
    return hashlib.sha256(content).hexdigest() == files_of(record).get(path)


def encode_history(rows: list[dict[str, float]]) -> bytes:
    """The history as Parquet, one row per epoch; a column that a row lacks is null there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _parquet({name: [row.get(name) for row in rows] for name in columns})


def encode_test_errors(errors: Mapping[str, Any]) -> bytes:
    """Errors (samples,) by name as Parquet in float32, one row per test sample in the order of the test set."""
    import numpy as np

    return _parquet({name: np.asarray(values, np.float32) for name, values in errors.items()})


def _parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def write_outcome(
    store: Store, record: Record, rows: list[dict[str, float]], test_errors: Mapping[str, Any] | None = None
) -> None:
    """Write the files of a trial; the record last, so that a record always has them.

    Args:
        store: The results folder.
        record: Without checksums of the files.
        rows: The history, one row per epoch.
        test_errors: (samples,) by name, of the delivered model on each test sample; None if it was not
            tested.
    """
    files = {"history_sha256": (history_path(record.id), encode_history(rows))}
    if test_errors:
        files["test_errors_sha256"] = (test_errors_path(record.id), encode_test_errors(test_errors))
    for path, content in files.values():
        store.write(path, content)
    checksums: dict[str, Any] = {
        name: hashlib.sha256(content).hexdigest() for name, (_, content) in files.items()
    }
    store.write(record_path(record.id), encode_record(replace(record, **checksums)))
