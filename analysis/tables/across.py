"""Tables over all cases together."""

import pandas as pd

from analysis.formats import interval, number, percent
from analysis.statistics.hyperparameters import hyperparameter_sensitivity
from analysis.statistics.improvement import probability_of_improvement
from analysis.statistics.profiles import performance_profiles
from analysis.tables.table import ARM, Table


def improvement(trials: pd.DataFrame) -> Table:
    """Probability of improvement."""
    return Table(
        "probability_of_improvement",
        "Does the arm beat the control?",
        "Chance that a random trial of the arm has a better test score than a random trial of the "
        "control, over the whole grid, averaged over the cases (Mann and Whitney's U / nm), with a 95% "
        "interval; 50% is no difference. The two trials may have different learning rates.",
        probability_of_improvement(trials),
        ARM
        | {
            "Cases": lambda row: str(row.cases),
            "Probability [95% interval]": lambda row: interval(row.probability, row.low, row.high, percent),
        },
    )


def profiles(trials: pd.DataFrame) -> Table:
    """Performance profiles; the page shows them as a figure only."""
    return Table(
        "performance_profiles",
        "Performance profiles",
        "Share of trials whose skill exceeds each level, with a pointwise 95% band.",
        performance_profiles(trials),
        ARM
        | {
            "Skill": lambda row: number(row.level),
            "Trials above [95% band]": lambda row: interval(row.share, row.low, row.high, percent),
        },
        on_page=False,
    )


def hyperparameters(trials: pd.DataFrame) -> Table:
    """Hyperparameter sensitivity over the cases."""
    return Table(
        "hyperparameter_sensitivity",
        "Must the learning rate be tuned again for each case?",
        "Normalized performance tuned for each case, and at the one learning rate that is best on "
        "average; sensitivity is their difference, effective dimensionality the number of hyperparameters "
        "that must be tuned (Adkins et al. 2024).",
        hyperparameter_sensitivity(trials),
        ARM
        | {
            "Cases": lambda row: str(row.cases),
            "Tuned": lambda row: f"{row.tuned:.3f}",
            "One rate": lambda row: f"{row.fixed:.3f}",
            "Sensitivity": lambda row: f"{row.sensitivity:.3f}",
            "Effective dimensionality": lambda row: str(row.dimensionality),
        },
    )
