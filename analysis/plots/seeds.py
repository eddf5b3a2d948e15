"""The spread between the seeds of one setting."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.formats import rate
from analysis.plots.labels import LONGEST_NAME, elided, metric_name
from analysis.plots.style import COLUMN, marks, styled
from analysis.prepare import one_case, takes_trials
from analysis.statistics.best_setting import choose_rates, scores_at


@takes_trials
@styled
def seed_spread(trials: pd.DataFrame, rates: pd.DataFrame | None = None, case: str | None = None) -> Figure:
    """Test score of every seed at each arm's learning rate, beside mean and Student's 95% interval, in one case.

    Args:
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None. Failed trials are crosses,
            at the edge where their score is far beyond those of the trials that learned.
    """
    trials = one_case(trials, case)
    rates = choose_rates(trials) if rates is None else rates
    arms = list(trials["arm"].unique())
    style = marks(arms)
    at_rate = trials.merge(rates, on=["case", "arm", "lr"])
    means = scores_at(trials, rates).set_index("arm")
    at_rate = at_rate.assign(shown=at_rate["score"].clip(*_range(at_rate, means)))
    figure = Figure((COLUMN, 0.75 + 0.32 * len(arms)), layout="constrained")
    axes = figure.subplots()
    for row, arm in enumerate(arms):
        scores = at_rate[at_rate["arm"] == arm]
        if scores["score"].notna().sum() == 0:
            continue
        for failed, marker in ((False, style[arm].marker), (True, "x")):
            some = scores[scores["failed"] == failed]
            scatter = np.linspace(-0.12, 0.12, len(some)) if len(some) > 1 else np.zeros(len(some))
            axes.scatter(some["shown"], row - 0.12 + scatter, s=11, marker=marker, color=style[arm].color, alpha=0.75,
                         linewidths=0.8 if failed else 0)  # fmt: skip
        mean = means.loc[arm]
        axes.plot([mean["low"], mean["high"]], [row + 0.25] * 2, color=style[arm].color, linewidth=0.9)
        axes.plot(mean["mean"], row + 0.25, "|", color=style[arm].color, markersize=6, markeredgewidth=1)
    axes.set_yticks(
        range(len(arms)), [f"{elided(arm, LONGEST_NAME)}\nlr {_rate(means, arm)}" for arm in arms]
    )
    axes.set_ylim(len(arms) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel(f"test {metric_name(trials)}")
    return figure


def _range(at_rate: pd.DataFrame, means: pd.DataFrame) -> tuple[float, float]:
    """The range of the figure: scores of the trials that learned and their intervals, with a margin."""
    learned = at_rate.loc[~at_rate["failed"].astype(bool), "score"]
    shown = pd.concat([learned, means["low"], means["high"]]).dropna()
    margin = 0.1 * (shown.max() - shown.min())
    return (shown.min() - margin, shown.max() + margin) if margin > 0 else (-np.inf, np.inf)


def _rate(means: pd.DataFrame, arm: str) -> str:
    return rate(means.loc[arm, "lr"]) if arm in means.index else "none"
