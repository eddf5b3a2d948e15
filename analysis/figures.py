"""The figures of a report, with their captions."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from analysis import plots
from analysis.plots.files import figure_files
from analysis.prepare import first_round, split_searched
from analysis.statistics.best_setting import at_chosen_rates
from analysis.tables import Table
from analysis.wording import seeds_at_each

MOST_CASES = 6


@dataclass(frozen=True)
class Picture:
    """A figure of one case (None: of all), as svg, pdf and png.

    Attributes:
        problem: Why it could not be drawn, if it has no files.
    """

    name: str
    title: str
    caption: str
    case: str | None
    files: dict[str, bytes]
    problem: str = ""


def _picture(name: str, title: str, caption: str, case: str | None, draw: Callable[[], Figure]) -> Picture:
    try:
        return Picture(name, title, caption, case, figure_files(draw()))
    except Exception as error:  # one figure that fails must not prevent the report
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        return Picture(name, title, caption, case, {}, reason)


def make_pictures(
    trials: pd.DataFrame, histories: pd.DataFrame, tables: dict[str, Table]
) -> Iterator[Picture]:
    """The overview, then the figures of each of the first six cases, then the profiles over all cases.

    Args:
        histories: At least the histories of the trials at each arm's chosen learning rate.
    """
    if trials.empty:
        return
    contrasts = (
        tables["failure_contrasts"].frame if "failure_contrasts" in tables else trials[["case"]].iloc[:0]
    )
    designed, drawn = split_searched(trials)
    if len(designed):
        yield _overview(designed, contrasts)
    for number, case in enumerate(trials["case"].unique()[:MOST_CASES]):
        mine, set_rates = (table[table["case"] == case] for table in (trials, designed))
        in_budget = drawn[drawn["case"] == case]
        ending = slug(case) if trials["case"].nunique() == 1 else f"{number + 1}-{slug(case)}"
        for figures in (
            _grid_figures(set_rates) if len(set_rates) else (),
            _seed_figures(mine, in_budget if len(in_budget) else first_round(set_rates), tables),
            _history_figures(mine, histories),
        ):
            for name, title, caption, draw in figures:
                yield _picture(f"{name}-{ending}", title, caption, case, draw)
    if "performance_profiles" in tables and not trials["failed"].all():
        yield _picture(
            "profiles",
            "Performance profiles",
            "Share of trials whose skill exceeds each level, over the whole grid of all cases that every "
            "arm has; the higher the curve, the better. Bands are pointwise 95%.",
            None,
            lambda: plots.profile_curves(first_round(designed)),
        )


def _overview(trials: pd.DataFrame, contrasts: pd.DataFrame) -> Picture:
    """Failures, losses and differences from the control, for all cases."""
    return _picture(
        "overview",
        "Overview",
        f"{seeds_at_each(trials)} at each learning rate. Left: failed trials with Wilson's 95% intervals. Middle: "
        f"loss, {over_seeds(trials, 'median and quartiles')}, failed trials at their loss at initialization. Right: "
        "difference of failure rates from the control over all learning rates, paired, with Newcombe's 95% interval; "
        "left of the line the arm failed less often.",
        None,
        lambda: plots.overview(trials, contrasts),
    )


Drawn = Iterator[tuple[str, str, str, Callable[[], Figure]]]
"""Name, title and caption of each figure, and a function that draws it."""


def _grid_figures(mine: pd.DataFrame) -> Drawn:
    """The effect of the learning rate, in one case."""
    seeds = seeds_at_each(mine)
    yield (
        "failure_rate",
        "Failure rate against learning rate",
        f"Share of failed trials of {seeds} with Wilson's 95% intervals, shifted slightly so that they do not "
        "overlap; the smooth lines are the fitted curves that LR50 is read from, with their 95% bands.",
        lambda: plots.failure_rate(mine),
    )
    if not mine["failed"].all():
        yield (
            "loss",
            "Loss against learning rate",
            f"min(validation loss, loss at initialization), {over_seeds(mine, 'median and quartiles')}. Above: how "
            "many trials failed; they count with the loss at initialization.",
            lambda: plots.loss_against_rate(mine),
        )
    yield (
        "heat_map_arms",
        "Arms by learning rate",
        f"Above: failed of all trials. Below: median over {seeds} of the validation loss, failed trials at their "
        "loss at initialization.",
        lambda: plots.heat_maps(mine, "arm"),
    )
    if mine["schedule"].nunique() > 1:
        yield (
            "heat_map_schedules",
            "Schedules by learning rate",
            "The same for the arms that have a schedule, those of one schedule together.",
            lambda: plots.heat_maps(mine, "schedule"),
        )


def _seed_figures(mine: pd.DataFrame, in_budget: pd.DataFrame, tables: dict[str, Table]) -> Drawn:
    """Scores at the chosen learning rate, the expected best of a budget, and the cost, in one case."""
    if mine["score"].notna().any() and not mine["failed"].all():
        below = "mean and Student's 95% interval of those that learned"
        if mine["seed"].nunique() == 1:
            below = "the mean, without an interval, since one seed has no spread"
        yield (
            "seed_spread",
            "Spread between seeds",
            f"Test score of {seeds_at_each(mine)} at the learning rate chosen on validation; below them, {below}. "
            "Crosses are failed trials, at the edge if their score lies beyond it.",
            lambda: plots.seed_spread(mine),
        )
        yield (
            "expected_best",
            "Expected best of a budget",
            "Expected best validation score of n trials drawn at random from those run, with a 95% "
            "band that holds for all n at once.",
            lambda: plots.budget_curve(in_budget),
        )
    if "cost" in tables and (tables["cost"].frame["case"] == mine["case"].iloc[0]).any():
        yield (
            "cost",
            "Cost against gain",
            f"Test score at the chosen learning rate, {over_seeds(mine, 'with Student’s 95% interval')}, against the "
            "seconds per epoch: CPU seconds if every trial has them, else wall-clock seconds, including time lost to "
            "other work on the machine.",
            lambda: plots.cost_against_score(mine),
        )


def _history_figures(mine: pd.DataFrame, histories: pd.DataFrame) -> Drawn:
    """The course of training at the chosen learning rate, in one case."""
    chosen = at_chosen_rates(mine)
    histories = histories[histories["trial"].isin(chosen["trial"])]
    if {"val_metric", "theta"} <= set(histories) and histories["val_metric"].notna().any():
        yield (
            "training",
            "Training curves with theta",
            f"Validation metric at the chosen learning rate, {over_seeds(chosen, 'median and quartiles')}, above "
            "the weight theta of the relaxed branch. Trials that stopped early count for the epochs they "
            "reached.",
            lambda: plots.training_curves(chosen, histories),
        )
    if "equivariance_error" in histories and histories["equivariance_error"].notna().any():
        yield (
            "equivariance",
            "Equivariance error during training",
            f"|f(gx) − g f(x)| / |f(x)| of the model in training at the chosen learning rate, "
            f"{over_seeds(chosen, 'median and quartiles')}, in the precision of the training: about 1e-7 is "
            "rounding in float32. The delivered model's error, in float64, is in the table.",
            lambda: plots.equivariance_curves(chosen, histories),
        )


def over_seeds(trials: pd.DataFrame, spread: str) -> str:
    """How a figure shows the seeds: with a spread, or one seed as it is."""
    if trials["seed"].nunique() == 1:
        return "of one seed, which has no spread"
    return f"{spread} over {seeds_at_each(trials)}"


def slug(text: str) -> str:
    """The text as a file name of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "case"
