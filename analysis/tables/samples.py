"""Tables on the samples of the test set."""

import pandas as pd

from analysis.formats import interval, percent
from analysis.statistics.samples import sample_differences, worst_samples
from analysis.tables.table import ARM, Table, in_order


def contrasts(trials: pd.DataFrame, rates: pd.DataFrame, errors: pd.DataFrame) -> Table:
    """Test scores against the control, allowing for another test set."""
    return Table(
        "sample_contrasts",
        "Would the difference hold on another test set?",
        "Each arm at the learning rate chosen for it, paired by seed and by test sample: mean difference, arm minus "
        "control. The first 95% interval takes the test set as it is; the second allows for other test samples from "
        "the same distribution too (two-way variance of seeds and samples, degrees of freedom by Satterthwaite). "
        "From samples: the part of that variance which a larger test set would remove.",
        sample_differences(trials, errors, rates),
        ARM
        | {
            "Control": lambda row: row.control,
            "Pairs": lambda row: str(row.pairs),
            "Test samples": lambda row: f"{row.samples:,}",
            "Difference [over seeds]": lambda row: interval(row.difference, row.seeds_low, row.seeds_high),
            "[over seeds and samples]": lambda row: (
                interval(row.difference, row.low, row.high).partition(" ")[2] or "–"
            ),
            "From samples": lambda row: percent(row.from_samples),
        },
    )


def worst(trials: pd.DataFrame, rates: pd.DataFrame, errors: pd.DataFrame) -> Table:
    """How much of the metric depends on a few samples."""
    return Table(
        "worst_samples",
        "How much of the test metric depends on a few samples?",
        "Share of the sum of the errors that comes from the worst 1% of the test samples, at the chosen learning "
        "rate: median over the trials that learned, and range. It is 1% if all samples are alike; if it is large, a "
        "few samples decide the metric.",
        in_order(worst_samples(trials, errors, rates), trials),
        ARM
        | {
            "Trials": lambda row: str(row.trials),
            "Worst samples": lambda row: f"{row.worst:,} of {row.samples:,}",
            "Share": lambda row: percent(row.share),
            "Range": lambda row: f"{percent(row.least)} to {percent(row.most)}",
        },
    )
