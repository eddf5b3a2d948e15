"""One row per planned trial: the settings of its spec, and the outcome of its record."""

import json
from enum import Enum
from typing import Any

import pandas as pd

from trainables.results.canonical import content_hash
from trainables.results.record import Record

TEXTS = [
    *("trial", "study", "task", "model", "arm", "method", "schedule", "outcome", "reason", "detail"),
    *("metric", "metric_goal", "device", "worker", "spec", "pair", "control", "own"),
]
NUMBERS = [
    *("lr", "seed", "val_metric", "val_loss", "test_metric", "trivial", "loss_at_init"),
    *("theta_area", "constraint_at_projection"),
    *("before_projection", "after_projection", "equivariance_error", "best_epoch", "epochs", "steps"),
    *("started", "seconds", "cpu_seconds", "relaxed_layers", "params_train", "params_final", "round"),
]
MISSING = "missing"
"""The value of the column `outcome` for a planned trial without a record."""
COUNTS = ("seed", "epochs", "steps")


def trial_table(
    plan: list[dict[str, Any]], study: str, records: dict[str, Record], control: str | None
) -> pd.DataFrame:
    """One row per planned trial, as `load_trials` describes it; outcome `missing` if there is no record.

    Args:
        plan: Entries of plan.json.
        control: The arm that the study names as its control.
    """
    return _table([{**_row(entry, study, records.get(entry["id"])), "control": control} for entry in plan])


def _row(entry: dict[str, Any], study: str, record: Record | None) -> dict[str, Any]:
    """A planned trial and its record as one flat row."""
    spec = record.spec if record is not None else entry.get("spec", {})
    settings, shared = _flat(spec), entry.get("shared", {})
    base = _differing(_flat({block: spec.get(block, {}) for block in shared}), _flat(shared))
    row: dict[str, Any] = {
        "trial": entry["id"],
        "study": study,
        **{kind: settings.get(f"{kind}.name") for kind in ("task", "model", "method")},
        "arm": entry.get("arm", settings.get("method.name")),
        "schedule": settings.get("method.schedule", settings.get("method.schedule.name")),
        "lr": settings.get("training.lr"),
        "seed": settings.get("seed"),
        "outcome": MISSING,
        "spec": _digest(spec),
        "pair": _digest({key: value for key, value in {**spec, **shared}.items() if key != "method"}),
        "own": " ".join(base) or None,
        "round": entry.get("round", 1),
        **{f"base.{key}": value for key, value in base.items()},
    }
    if record is not None:
        known = [
            name for name in (*TEXTS, *NUMBERS) if name in Record.__dataclass_fields__ and name != "spec"
        ]
        row |= {name: _plain(getattr(record, name)) for name in known}
        row |= {f"tests.{name}": value for name, value in record.tests.items()}
        row |= {f"anisotropy.{name}": value for name, value in record.anisotropy.items()}
        row |= {f"versions.{name}": value for name, value in record.versions.items()}
    repeated = ("task.name", "model.name", "method.name", "training.lr", "seed")
    return row | {key: value for key, value in settings.items() if key not in repeated}


def _plain(value: Any) -> Any:
    """The value as a table shows it: an enum's own text."""
    return value.value if isinstance(value, Enum) else value


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a table that has every promised column, numbers as numbers."""
    table = pd.DataFrame(rows)
    table = table.reindex(
        columns=[*TEXTS, *NUMBERS, *(name for name in table if name not in {*TEXTS, *NUMBERS})]
    )
    numbers = [*NUMBERS, *(name for name in table if name.startswith(("tests.", "anisotropy.")))]
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce").astype(float)
    return whole_counts(table.astype(dict.fromkeys(TEXTS, object)))


def whole_counts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with counts as whole numbers if all are known."""
    return table.astype({name: int for name in COUNTS if table[name].notna().all()})


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level with dotted names; lists as JSON text, so that they can be compared."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list) else value
    return flat


def _differing(own: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """The shared values of the settings in which an arm differs."""
    return {key: shared.get(key) for key in {**own, **shared} if own.get(key) != shared.get(key)}


def _digest(content: dict[str, Any]) -> str:
    return content_hash(content, allow_nan=True)[:16]
