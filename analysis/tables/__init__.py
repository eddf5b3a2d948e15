"""Every statistic of the report as a table: raw numbers for machines, few digits for people."""

import pandas as pd

from analysis.stated import Stated
from analysis.statistics.best_setting import choose_rates
from analysis.tables import across, failures, planning, scores
from analysis.tables.table import Table, as_csv, as_latex, as_markdown

__all__ = ["Table", "as_csv", "as_latex", "as_markdown", "make_tables"]


def make_tables(
    trials: pd.DataFrame,
    histories: pd.DataFrame | None = None,
    stated: dict[str, Stated] | None = None,
) -> dict[str, Table]:
    """All statistics of prepared trials, by name, in the order of the report; those without a row are left out.

    histories: of failed trials and of those at the chosen learning rates; stated: by case, what its study says
    beforehand
    """
    if trials.empty:
        return {}
    rates, stated = choose_rates(trials), stated or {}
    histories = pd.DataFrame({"trial": [], "epoch": []}) if histories is None else histories
    tables = [
        failures.grid(trials),
        failures.contrasts(trials, stated),
        failures.onset(trials),
        failures.reasons(trials, histories),
        scores.best_setting(trials, rates),
        scores.contrasts(trials, rates, stated),
        planning.published(trials, rates, stated),
        planning.speed(trials, rates, histories),
        planning.seeds(trials, rates, stated),
        scores.middle_rate(trials),
        scores.whole_grid(trials),
        scores.sensitivity(trials),
        scores.budget(trials),
        scores.variance(trials),
        scores.equivariance_errors(trials),
        scores.costs(trials),
        failures.by_rate(trials),
        failures.each_failure(trials, histories),
        across.improvement(trials),
        across.profiles(trials),
        across.hyperparameters(trials),
    ]
    return {table.name: table for table in tables if not table.frame.empty}
