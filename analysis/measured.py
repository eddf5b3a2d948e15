"""Measured coverage of those intervals that do not hold the truth 93% to 97% of the time."""

COVERAGE: dict[str, float] = {}
