"""Words and numbers in figures: names of arms and metrics, short numbers, lines that fit."""

import math

import pandas as pd

from analysis.formats import metric, metric_unit

NOTHING_LEARNED = "no trial learned"
LONGEST = 80  # characters of a line of text
LONGEST_NAME = 32  # of an arm: a longer one leaves no room for its axes


def metric_name(trials: pd.DataFrame) -> str:
    """The name of the judged metric as a label, with its unit if known."""
    known = trials.dropna(subset="metric")
    if known.empty:
        return "metric"
    name, task = str(known["metric"].iloc[0]), str(known["task"].iloc[0])
    unit = metric_unit(name, task)
    return f"{metric(name)} ({unit})" if unit else metric(name)


def named(arm: str) -> str:
    """The name of an arm as a label; matplotlib leaves labels that begin with an underscore out of legends."""
    label = elided(arm, LONGEST_NAME)
    return f" {label}" if label.startswith("_") else label


def short(value: float) -> str:
    """A loss with two digits, such as 0.05 or 3.2e-4; '–' for none. For learning rates use `formats.rate`."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or 0.01 <= abs(value) < 100:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def fitting(text: str) -> str:
    """The text with unprintable characters replaced, and each line short enough for a figure."""
    lines = (
        "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in line)
        for line in text.split("\n")
    )
    return "\n".join(elided(line, LONGEST) for line in lines)


def elided(text: str, room: int) -> str:
    """The text, or as much of its beginning and end as fits in `room` characters."""
    half = (room - 1) // 2
    return text if len(text) <= room else f"{text[: room - 1 - half]}…{text[len(text) - half :]}"
