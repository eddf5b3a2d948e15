"""Alarms to read before the numbers of a folder, from its records alone. Loads neither torch nor ray."""

from collections.abc import Iterable

from trainables.results.record import Record

EXACT = 1e-6
"""The largest equivariance error in float64 that counts as none: those of our models are below 1e-10."""


def alarms(records: Iterable[Record]) -> list[str]:
    """One line per network that should be equivariant but is not, and per source with several versions."""
    records = list(records)
    return [*_not_equivariant(records), *_mixed_sources(records)]


def must_be_equivariant(record: Record) -> bool:
    """Whether the trial delivers the strict network by one of our methods."""
    method = record.spec.get("method", {})
    name = method.get("name")
    return name in ("strict", "relaxed") or (name == "ace" and method.get("form", "equality") == "equality")


def _not_equivariant(records: list[Record]) -> list[str]:
    worst: dict[str, Record] = {}
    for record in records:
        error = record.equivariance_error
        if error is not None and error > EXACT and must_be_equivariant(record):
            model = record.spec["model"]["name"]
            if model not in worst or error > (worst[model].equivariance_error or 0):
                worst[model] = record
    return [
        f"ALARM: the strict network '{model}' is not equivariant: error {record.equivariance_error:.1e}"
        f"{_under(record.equivariance_errors)} (trial {record.id}); see trainables.training.equivariance.layer_errors"
        for model, record in worst.items()
    ]


def _under(errors: dict[str, float | None]) -> str:
    """The kinds of transformations with an error, worst first; '' for older records, which lack the kinds."""
    broken = {kind: error for kind, error in errors.items() if error is not None and error > EXACT}
    kinds = sorted(broken, key=lambda kind: -broken[kind])
    return f" under {', '.join(f'{kind} ({broken[kind]:.1e})' for kind in kinds)}" if kinds else ""


def _mixed_sources(records: list[Record]) -> list[str]:
    versions: dict[str, dict[str, int]] = {}
    for record in records:
        for source, digest in record.sources.items():
            counts = versions.setdefault(source, {})
            counts[digest] = counts.get(digest, 0) + 1
    return [
        f"{source}: the trials were made with {len(counts)} versions of it "
        f"({', '.join(f'{count} with {digest}' for digest, count in counts.items())}); "
        "their numbers may not be comparable"
        for source, counts in versions.items()
        if len(counts) > 1
    ]
