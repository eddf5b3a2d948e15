"""Tables on losses, scores and costs."""

import pandas as pd

from analysis.formats import alike, interval, mean_and_sd, metric, number, p_value, percent, rate
from analysis.measured import COVERAGE
from analysis.prepare import each_case
from analysis.stated import Stated
from analysis.statistics.best_setting import scores_at
from analysis.statistics.budget import expected_best
from analysis.statistics.cost import cost
from analysis.statistics.equivalence import score_verdicts
from analysis.statistics.equivariance import equivariance
from analysis.statistics.sensitivity import rate_sensitivity
from analysis.statistics.variance import variance_shares
from analysis.statistics.without_tuning import interquartile_means, middle_rates
from analysis.tables.table import ARM, VERDICT, Show, Table

SCORES: Show = ARM | {
    "Learning rate": lambda row: rate(row.lr),
    "Seeds": lambda row: str(row.n),
    "Failed": lambda row: str(row.failed),
    "Metric": lambda row: metric(row.metric) if isinstance(row.metric, str) else "–",
    "Mean ± sd": lambda row: mean_and_sd(row.mean, row.sd),
    "95% interval": lambda row: "[{}, {}]".format(*alike([row.low, row.high], (row.high - row.low) / 2)),
}
LEARNED = (
    "Scores are of the trials that learned; the number that failed at that rate is shown next to them, and failed "
    "trials count when the rate is chosen."
)
COUNTED = (
    "A failed trial counts with its value at initialization, or the trivial predictor's if the metric "
    "is not the loss."
)


def best_setting(trials: pd.DataFrame, rates: pd.DataFrame) -> Table:
    """Test scores at the chosen rates."""
    return Table(
        "best_setting",
        "Test score at the learning rate chosen on validation",
        f"Mean and sd over seeds with Student's interval. {LEARNED} In simulations of 5 seeds the interval covered "
        f"the truth {percent(COVERAGE['best_setting'])} of the time: the rate is chosen by the same seeds.",
        scores_at(trials, rates),
        SCORES,
    )


def middle_rate(trials: pd.DataFrame) -> Table:
    """Test scores without tuning."""
    return Table(
        "middle_rate",
        "Test score without tuning",
        "At the middle of the grid, which was fixed before the study: mean and sd over seeds with Student's "
        "interval. Scores are of the trials that learned; the number that failed there is shown next to them.",
        scores_at(trials, middle_rates(trials)),
        SCORES,
    )


def contrasts(trials: pd.DataFrame, rates: pd.DataFrame, stated: dict[str, Stated] | None = None) -> Table:
    """Test scores against the control; stated: what each case's study declares beforehand."""

    def compare(mine: pd.DataFrame, control: str) -> pd.DataFrame:
        bounds = (stated or {}).get(mine["case"].iloc[0], Stated())
        return score_verdicts(mine, bounds.score, rates, control)

    return Table(
        "best_contrasts",
        "Test score against the control",
        "Each arm at the learning rate chosen for it, paired by seed, if both learned: mean difference, arm minus "
        "control, with Student's 95% interval, not corrected for the number of arms (one pair has no spread, and so "
        "no interval); p by flipping the signs of the differences, which cannot go below the smallest p, shown "
        "next to it. "
        f"Not excluded: the largest effect within the interval, as a share of the control's mean. {VERDICT}",
        each_case(trials, compare),
        ARM
        | {
            "Control": lambda row: row.control,
            "Pairs": lambda row: str(row.pairs),
            "Difference [95% interval]": lambda row: interval(row.difference, row.low, row.high),
            "p": lambda row: p_value(row.p),
            "smallest p": lambda row: p_value(row.smallest_p),
            "p (Holm)": lambda row: p_value(row.p_holm),
            "Not excluded": lambda row: f"up to {percent(row.largest)}",
            "Verdict": lambda row: row.verdict,
        },
    )


def whole_grid(trials: pd.DataFrame) -> Table:
    """Interquartile mean."""
    return Table(
        "interquartile_mean",
        "Test score over the whole grid",
        "Interquartile mean of all trials with the 95% interval of a stratified bootstrap: what an arm "
        f"yields if the learning rate is chosen blindly. {COUNTED}",
        interquartile_means(trials),
        ARM
        | {
            "Trials": lambda row: str(row.n),
            "Interquartile mean [95% interval]": lambda row: interval(row.iqm, row.low, row.high),
        },
    )


def sensitivity(trials: pd.DataFrame) -> Table:
    """Learning-rate sensitivity."""
    return Table(
        "learning_rate_sensitivity",
        "Sensitivity to the learning rate",
        "Mean over the grid of min(validation loss, loss at initialization), minus the best (Wortsman et "
        "al. 2023), with a 95% interval. Read it with the best loss: an arm that is bad everywhere is not "
        "sensitive.",
        rate_sensitivity(trials),
        ARM
        | {
            "Sensitivity [95% interval]": lambda row: interval(row.sensitivity, row.low, row.high),
            "Best loss": lambda row: number(row.best_loss),
            "at": lambda row: rate(row.best_lr),
        },
    )


def budget(trials: pd.DataFrame) -> Table:
    """Expected best of n trials; the page shows it as a figure only."""
    return Table(
        "expected_best",
        "Expected best of a budget",
        "Expected best validation score of n trials drawn at random from those run (Dodge et al. 2019), with a 95% "
        "band that holds for all n at once (in simulations in "
        f"{percent(COVERAGE['expected_best'])} of studies: it is wide).",
        expected_best(trials),
        ARM
        | {
            "Trials": lambda row: str(row.n),
            "Expected best [95% band]": lambda row: interval(row.best, row.low, row.high),
        },
        on_page=False,
    )


def variance(trials: pd.DataFrame) -> Table:
    """Variance shares."""
    return Table(
        "variance_shares",
        "What decides the loss",
        "Share of the variance of log10(loss), or of the loss if some are not above 0, by type II sums of squares; "
        "failed trials count with the "
        "loss at initialization. p by the F test, which assumes normal residuals: a rough guide.",
        variance_shares(trials),
        {
            "Factor": lambda row: row.factor,
            "Share": lambda row: percent(row.share),
            "Degrees of freedom": lambda row: f"{row.df:.0f}",
            "p": lambda row: p_value(row.p),
        },
    )


def equivariance_errors(trials: pd.DataFrame) -> Table:
    """Equivariance error of what was delivered."""
    return Table(
        "equivariance",
        "Equivariance error of the delivered model",
        "Largest |f(gx) − g f(x)| / |f(x)| over the trials, in float64.",
        equivariance(trials),
        ARM
        | {
            "Trials measured": lambda row: f"{row.measured} of {row.n}",
            "Largest error": lambda row: number(row.largest),
        },
    )


def costs(trials: pd.DataFrame) -> Table:
    """Time and parameters."""
    return Table(
        "cost",
        "What it cost",
        "Medians over the learned trials: CPU seconds of training on all threads if every trial has them, else "
        "wall-clock seconds, including time lost to other work on the machine. "
        "Parameters while training and as delivered.",
        cost(trials),
        ARM
        | {
            "Learned": lambda row: str(row.n),
            "Seconds of": lambda row: row.unit,
            "Seconds per epoch": lambda row: number(row.seconds_per_epoch),
            "Seconds per trial": lambda row: number(row.seconds),
            "Parameters trained": lambda row: number(row.params_train),
            "Parameters delivered": lambda row: number(row.params_final),
        },
    )
