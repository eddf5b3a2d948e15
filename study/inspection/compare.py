"""A record compared with the result of training its trial again."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trainables.results.record import Record

RUN_FIELDS = ("id", "spec", "detail", "worker", "started", "device", "versions", "sources", "checksum")
"""Fields that describe the run and not the result, or are compared elsewhere, as checksums and seconds are."""


@dataclass(frozen=True)
class Pair:
    """One result as recorded, and as measured now."""

    name: str
    recorded: Any
    now: Any

    @property
    def is_same(self) -> bool:
        return self.recorded == self.now

    def line(self) -> str:
        """The pair as one line of text; a difference is marked."""
        mark = " " if self.is_same else "!"
        return f"{mark} {self.name:30} {_text(self.recorded):>22} {_text(self.now):>22}"


def results(recorded: Mapping[str, Any], again: Record) -> list[Pair]:
    """Every result of a record, paired with the new one.

    Args:
        recorded: The content of record.json; fields that an older version did not record are not compared.
        again: The record of the new training.
    """
    now = asdict(again)
    pairs = []
    for name in now:
        if name not in recorded or name in RUN_FIELDS or name.endswith(("seconds", "sha256")):
            continue
        if isinstance(now[name], dict) and isinstance(recorded[name], dict):
            parts = dict.fromkeys([*recorded[name], *now[name]])
            pairs += [Pair(f"{name}.{key}", recorded[name].get(key), now[name].get(key)) for key in parts]
        else:
            pairs.append(Pair(name, recorded[name], now[name]))
    return [pair for pair in pairs if not (pair.recorded is None and pair.now is None)]


def history(recorded: bytes, rows: Sequence[Mapping[str, float]]) -> Pair:
    """The history of all epochs in one pair: its length, or the first place where it differs.

    Args:
        recorded: The content of history.parquet.
        rows: The new history, one row per epoch.
    """
    before = _columns(recorded)
    return _first_difference("history", "epoch", before, {n: [row.get(n) for row in rows] for n in before})


def test_errors(recorded: bytes, errors: Mapping[str, np.ndarray]) -> Pair:
    """The errors on all test samples in one pair: their number, or the first that differs.

    Args:
        recorded: The content of test_errors.parquet.
        errors: The new errors by name, (samples,) each.
    """
    now = {name: np.asarray(values, np.float32).tolist() for name, values in errors.items()}
    return _first_difference("test_errors", "sample", _columns(recorded), now)


def _columns(content: bytes) -> dict[str, list[Any]]:
    """The columns of a file to compare; none if it is not Parquet, which equals nothing."""
    try:
        table = pq.read_table(io.BytesIO(content), use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        return {}
    return {name: table[name].to_pylist() for name in table.column_names if not name.endswith("seconds")}


def _first_difference(
    name: str, counter: str, before: Mapping[str, list[Any]], now: Mapping[str, list[Any]]
) -> Pair:
    lengths = [max(map(len, columns.values()), default=0) for columns in (before, now)]
    if lengths[0] != lengths[1] or not before:
        return Pair(name, *(f"{length} {counter}s" for length in lengths))
    for row in range(lengths[0]):
        for column, values in before.items():
            then, again = values[row], now[column][row] if column in now else None
            if _number(then) != _number(again):
                return Pair(f"{name} {counter} {row} {column}", then, again)
    return Pair(name, *[f"{lengths[0]} {counter}s"] * 2)


def _number(value: Any) -> Any:
    """A value that equals itself, NaN included."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def conditions(record: Record, now: Mapping[str, Any]) -> Iterator[str]:
    """The circumstances in which the two trainings differ and which may explain different numbers, a phrase each.

    Args:
        record: The record in the folder.
        now: The fields `worker`, `device`, `versions` and `sources` of this machine.
    """
    for kind in ("versions", "sources"):
        before, here = getattr(record, kind), now[kind]
        for name in before:
            if here.get(name, "none") != before[name]:
                yield f"{name} {before[name]} then, {here.get(name, 'none')} now"
    host, device = now["worker"].partition(":")[0], now["device"]
    if record.worker and record.worker.partition(":")[0] != host:
        yield f"machine {record.worker.partition(':')[0]} then, {host} now"
    if record.device and record.device != device:
        yield f"device {record.device} then, {device} now"


def _text(value: Any) -> str:
    return "–" if value is None else str(value)
