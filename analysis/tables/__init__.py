"""Every statistic of the report as a table: raw numbers for machines, few digits for people."""

import pandas as pd

from analysis.statistics.best_setting import choose_rates
from analysis.tables import across, failures, scores
from analysis.tables.table import Table, as_csv, as_latex, as_markdown

__all__ = ["Table", "as_csv", "as_latex", "as_markdown", "make_tables"]


def make_tables(trials: pd.DataFrame) -> dict[str, Table]:
    """All statistics of prepared trials, by name, in the order of the report; those without a row are left out."""
    if trials.empty:
        return {}
    rates = choose_rates(trials)
    tables = [
        failures.grid(trials),
        failures.contrasts(trials),
        failures.onset(trials),
        failures.reasons(trials),
        scores.best_setting(trials, rates),
        scores.contrasts(trials, rates),
        scores.middle_rate(trials),
        scores.whole_grid(trials),
        scores.sensitivity(trials),
        scores.budget(trials),
        scores.variance(trials),
        scores.equivariance_errors(trials),
        scores.costs(trials),
        failures.by_rate(trials),
        across.improvement(trials),
        across.profiles(trials),
        across.hyperparameters(trials),
    ]
    return {table.name: table for table in tables if not table.frame.empty}
