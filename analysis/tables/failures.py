"""Tables on failed trials."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.formats import interval, number, p_value, percent, points, rate
from analysis.measured import COVERAGE
from analysis.prepare import each_case, first_round
from analysis.stated import Stated
from analysis.statistics.curves import loss_curve
from analysis.statistics.equivalence import failure_verdicts
from analysis.statistics.grid_failure import grid_failure_rates
from analysis.statistics.onset import half_failure_rates
from analysis.statistics.usable_width import usable_widths
from analysis.statistics.why_failed import why_failed
from analysis.tables.table import ARM, VERDICT, Table, in_order

CUT_OFF = {"both": "at both ends", "lowest": "at its lower end", "highest": "at its upper end"}


def grid(trials: pd.DataFrame) -> Table:
    """Failure rate over the grid."""
    return Table(
        "failure_rates",
        "How often training failed",
        "Failed trials, and the failure rate with each learning rate weighted equally. 95% interval: "
        "Wilson's with the effective sample size of seeds drawn within each learning rate.",
        grid_failure_rates(trials),
        ARM
        | {
            "Failed": lambda row: f"{row.failed} of {row.n}",
            "Rate [95% interval]": lambda row: interval(row.rate, row.low, row.high, percent),
        },
    )


def contrasts(trials: pd.DataFrame, stated: dict[str, Stated] | None = None) -> Table:
    """Failures against the control; stated: what each case's study declares beforehand."""

    def compare(mine: pd.DataFrame, control: str) -> pd.DataFrame:
        bounds = (stated or {}).get(mine["case"].iloc[0], Stated())
        return failure_verdicts(mine, bounds.failure_rate, control)

    return Table(
        "failure_contrasts",
        "Failures against the control",
        "The two trials of a pair differ only in the arm. Difference of failure rates, arm minus control, in "
        "percentage points, with Newcombe's paired 95% interval (in simulations it covered the truth "
        f"{percent(COVERAGE['paired_failures'])} of the time: it is wide); p by McNemar's exact test, and "
        f"corrected for the number of arms (Holm). Not excluded: the largest effect within the interval. {VERDICT}",
        each_case(trials, compare),
        ARM
        | {
            "Control": lambda row: row.control,
            "Pairs": lambda row: str(row.pairs),
            "Only arm failed": lambda row: str(row.only_arm),
            "Only control failed": lambda row: str(row.only_control),
            "Difference [95% interval]": lambda row: interval(row.difference, row.low, row.high, points),
            "p": lambda row: p_value(row.p),
            "p (Holm)": lambda row: p_value(row.p_holm),
            "Not excluded": lambda row: f"up to {points(row.largest).lstrip('+')}",
            "Verdict": lambda row: row.verdict,
        },
    )


def onset(trials: pd.DataFrame) -> Table:
    """Where failures start, and how wide the usable range is."""
    widths = (
        usable_widths(first_round(trials))
        .add_prefix("width_")
        .rename(columns={"width_case": "case", "width_arm": "arm"})
    )
    return Table(
        "learning_rate_range",
        "Where failures start, and how wide the usable range is",
        "LR50: the learning rate at which half of the seeds fail, from the rate with the fewest failures "
        "upwards, with the 95% interval of its posterior. Usable: decades of learning rate with a "
        "median loss within 10% of the arm's best and fewer than 20% failures, from the grid alone, "
        "with a bootstrap interval over whole seeds (in simulations it covered the truth "
        f"{percent(COVERAGE['usable_width'])} of the time). Marked if the grid ends before the range does.",
        half_failure_rates(trials)
        .merge(widths, on=["case", "arm"], how="left")
        .merge(trials.groupby(["case", "arm"])["lr"].min().rename("grid_from").reset_index(), how="left"),
        ARM
        | {
            "LR50 [95% interval]": _onset,
            "Usable decades [interval]": lambda row: interval(
                row.width_decades, row.width_low, row.width_high
            ),
            "Cut off by the grid": lambda row: CUT_OFF.get(row.width_censored, "–"),
        },
    )


def _onset(row: Any) -> str:
    below = "below the grid" if row.lowest == row.grid_from else f"below {rate(row.lowest)}"
    low = rate(row.low) if np.isfinite(row.low) else below
    high = rate(row.high) if np.isfinite(row.high) else "above the grid"
    if row.censored == "too few trials":
        return "too few trials"
    if row.censored:
        return f"{below if row.censored == 'below' else 'above the grid'} [{low}, {high}]"
    return f"{rate(row.lr50)} [{low}, {high}]"


def reasons(trials: pd.DataFrame, histories: pd.DataFrame) -> Table:
    """Why trials failed, and what their histories show."""
    table = why_failed(trials, histories).assign(spiked=lambda found: found["spikes"] > 0)
    table = table.groupby(["case", "arm", "reason"]).agg(
        trials=("trial", "size"), spiked=("spiked", "sum"), largest_spike=("largest_spike", "max"),
        non_finite=("non_finite_epoch", "count"), first_epoch=("non_finite_epoch", "min"),
        last_epoch=("non_finite_epoch", "max"),
    )  # fmt: skip
    return Table(
        "failure_reasons",
        "Why trials failed",
        "By the rules that were set before the first trial, and what the histories show: the epochs in which a "
        "value was first not finite, and spikes, which are jumps of the training loss to more than three times its "
        "median over the five epochs before.",
        in_order(table.reset_index(), trials),
        ARM
        | {
            "Reason": lambda row: row.reason.replace("_", " "),
            "Trials": lambda row: str(row.trials),
            "First non-finite epoch": _epochs,
            "With spikes": lambda row: str(row.spiked),
            "Largest spike": lambda row: f"× {number(row.largest_spike)}" if row.spiked else "–",
        },
    )


def each_failure(trials: pd.DataFrame, histories: pd.DataFrame) -> Table:
    """What the history of every failed trial shows; the page shows it beside the trial."""
    return Table(
        "why_failed",
        "Failed trials one by one",
        "The first epoch with a value that is not finite, and the spikes of the training loss.",
        why_failed(trials, histories),
        ARM
        | {
            "Learning rate": lambda row: rate(row.lr),
            "Seed": lambda row: str(row.seed),
            "Reason": lambda row: row.reason.replace("_", " "),
            "First non-finite epoch": lambda row: number(row.non_finite_epoch),
            "Spikes": lambda row: str(row.spikes),
        },
        on_page=False,
    )


def _epochs(row: Any) -> str:
    if not row.non_finite:
        return "–"
    first, last = int(row.first_epoch), int(row.last_epoch)
    return str(first) if first == last else f"{first} to {last}"


def by_rate(trials: pd.DataFrame) -> Table:
    """Failures and losses learning rate by learning rate."""
    return Table(
        "learning_rates",
        "Learning rate by learning rate",
        "Failed trials, and median and quartiles over seeds of min(validation loss, loss at "
        "initialization); a failed trial counts with the loss at initialization.",
        in_order(loss_curve(trials), trials),
        ARM
        | {
            "Learning rate": lambda row: rate(row.lr),
            "Failed": lambda row: f"{row.failed} of {row.n}",
            "Median loss": lambda row: number(row.median),
            "Quartiles": lambda row: f"[{number(row.q1)}, {number(row.q3)}]",
        },
    )
