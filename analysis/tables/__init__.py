"""Every statistic of the report as a table: raw numbers for machines, few digits for people."""

import pandas as pd

from analysis.prepare import first_round, split_searched
from analysis.stated import Stated
from analysis.statistics.best_setting import choose_rates
from analysis.tables import across, failures, planning, refined, samples, scores
from analysis.tables.table import Table, as_csv, as_latex, as_markdown

__all__ = ["Table", "as_csv", "as_latex", "as_markdown", "make_tables"]


OF_THE_GRID = {
    *("failure_rates", "failure_contrasts", "middle_rate", "interquartile_mean", "learning_rate_sensitivity"),
    *("expected_best", "variance_shares", "probability_of_improvement", "performance_profiles"),
    "hyperparameter_sensitivity",
}
"""Names of the tables that describe the whole grid."""


def make_tables(
    trials: pd.DataFrame,
    histories: pd.DataFrame | None = None,
    stated: dict[str, Stated] | None = None,
    errors: pd.DataFrame | None = None,
) -> dict[str, Table]:
    """All statistics of prepared trials, by name, in the order of the report; those without a row are left out.

    Tables of the whole grid leave out the rounds after it, and say so. There are no failure statistics for trials of
    a search: each of its learning rates was trained once. The expected best of a budget is computed from a case's
    search alone, if it has one.

    Args:
        histories: Histories of failed trials and of those at the chosen learning rates.
        stated: By case, what its study declares beforehand.
        errors: Errors on each test sample, of trials at the chosen learning rates.
    """
    if trials.empty:
        return {}
    rates, stated = choose_rates(trials), stated or {}
    histories = pd.DataFrame({"trial": [], "epoch": []}) if histories is None else histories
    errors = pd.DataFrame({"trial": []}) if errors is None else errors
    designed, drawn = split_searched(trials)
    grid = first_round(designed)
    independent = pd.concat([drawn, grid[~grid["case"].isin(drawn["case"])]])
    tables = [
        failures.grid(grid),
        failures.contrasts(grid, stated),
        refined.rounds(designed),
        failures.onset(designed),
        failures.reasons(trials, histories),
        scores.best_setting(trials, rates),
        scores.contrasts(trials, rates, stated),
        samples.contrasts(trials, rates, errors),
        samples.worst(trials, rates, errors),
        planning.published(trials, rates, stated),
        planning.speed(trials, rates, histories),
        planning.seeds(trials, rates, stated),
        scores.middle_rate(grid),
        scores.whole_grid(grid),
        scores.sensitivity(grid),
        scores.budget(independent),
        scores.variance(grid),
        scores.equivariance_errors(trials),
        scores.costs(trials),
        failures.by_rate(designed),
        failures.each_failure(trials, histories),
        across.improvement(grid),
        across.profiles(grid),
        across.hyperparameters(grid),
    ]
    if refined.is_refined(designed):
        tables = [refined.of_the_grid(table) if table.name in OF_THE_GRID else table for table in tables]
    return {table.name: table for table in tables if not table.frame.empty}
