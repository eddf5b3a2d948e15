"""Which figures a report has, with the captions under them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from analysis import plots
from analysis.plots.style import figure_files
from analysis.statistics.best_setting import choose_rates
from analysis.tables import Table

MOST_CASES = 12


@dataclass(frozen=True)
class Picture:
    """A figure of one case (None: of all), as svg, pdf and png."""

    name: str
    title: str
    caption: str
    case: str | None
    files: dict[str, bytes]


def make_pictures(trials: pd.DataFrame, tables: dict[str, Table]) -> Iterator[Picture]:
    """The overview, then the figures of each of the first twelve cases."""
    if trials.empty:
        return
    contrasts = (
        tables["failure_contrasts"].frame if "failure_contrasts" in tables else trials[["case"]].iloc[:0]
    )
    yield Picture(
        "overview",
        "Overview",
        "Left: failed trials with Wilson's 95% intervals. Middle: median loss over seeds with quartiles, failed trials at "
        "their loss at initialisation. Right: difference of failure rates to the control, paired, with Newcombe's 95% "
        "interval; left of the line the arm failed less often.",
        None,
        figure_files(plots.overview(trials, contrasts)),
    )
    for case in trials["case"].unique()[:MOST_CASES]:
        mine = trials[trials["case"] == case]
        for name, title, caption, figure in _drawn(mine):
            yield Picture(f"{name}-{slug(case)}", title, caption, case, figure_files(figure))


def _drawn(mine: pd.DataFrame) -> Iterator[tuple[str, str, str, plots.Figure]]:
    yield (
        "failure_rate",
        "Failure rate against learning rate",
        "Share of failed trials with Wilson's 95% intervals, set a little apart to be told from each other.",
        plots.failure_rate(mine),
    )
    yield (
        "loss",
        "Loss against learning rate",
        "Median and quartiles over seeds of min(validation loss, loss at initialisation). Above: how many trials failed; "
        "they count with the loss at initialisation.",
        plots.loss_against_rate(mine),
    )
    yield (
        "heat_map_arms",
        "Arms by learning rate",
        "Left: failed of all trials. Right: median validation loss.",
        plots.heat_maps(mine, "arm"),
    )
    if mine["schedule"].nunique() > 1:
        yield (
            "heat_map_schedules",
            "Schedules by learning rate",
            "As above, for the arms that have a schedule. Left: failed of all trials. Right: median validation loss.",
            plots.heat_maps(mine[mine["schedule"].notna()], "schedule"),
        )
    yield (
        "seed_spread",
        "Spread between seeds",
        "Test score of every seed at the learning rate chosen on validation; below each, mean and Student's 95% interval. "
        "Crosses are failed trials.",
        plots.seed_spread(mine, choose_rates(mine)),
    )


def slug(text: str) -> str:
    """The text as a file name of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "case"
