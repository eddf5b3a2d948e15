"""How good is an arm at its best setting, the learning rate chosen on validation?

The rate is chosen with failed trials counted at their substitute score, so that a rate where many fail is not chosen.
The score at that rate is the mean over the trials that learned, with the number of failures beside it: after a
failed training one starts another and does not deliver the failed one. A substitute that is twenty times the score
would dominate a mean over both: if 1% of trials fail, five seeds rarely show a failure, and no interval computed from
them covers such a mean.
"""

import numpy as np
import pandas as pd

from analysis.prepare import each_case, first_round, takes_trials
from analysis.statistics.holm import holm
from analysis.statistics.intervals import t_interval

EXACT_PAIRS = 16
FLIPS = 20_000  # drawn at random if there are more pairs


@takes_trials
def choose_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """The learning rate with the best mean validation score for each case and arm; ties go to the smaller rate.

    Only rates at which the arm has at least half as many seeds as at its most frequent rate are compared, so that a
    rate with one lucky survivor of crashes is not chosen. For a refined study only the grid is considered: later
    rounds add rates where failures start.

    Returns:
        Columns case, arm, lr.
    """
    means = (
        first_round(trials)
        .groupby(["case", "arm", "lr"], sort=False)
        .agg(score=("val_score", "mean"), n=("val_score", "count"), goal=("metric_goal", "first"))
    )
    means = means.reset_index().dropna(subset="score")
    most = means.groupby(["case", "arm"])["n"].transform("max")
    means = means[means["n"] * 2 >= most]
    cost = means["score"].where(means["goal"] != "max", -means["score"])
    chosen = (
        means.assign(cost=cost).sort_values(["cost", "lr"], kind="stable").drop_duplicates(["case", "arm"])
    )
    return chosen.sort_index()[["case", "arm", "lr"]].reset_index(drop=True)


@takes_trials
def at_chosen_rates(trials: pd.DataFrame, rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """The trials at one learning rate for each case and arm.

    Args:
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.
    """
    return trials.merge(choose_rates(trials) if rates is None else rates, on=["case", "arm", "lr"])


@takes_trials
def scores_at(trials: pd.DataFrame, rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """Test scores of the trials that learned, at one learning rate per case and arm.

    Args:
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.

    Returns:
        One row per case and arm: lr, n (trials, failed ones too), failed, learned (trials with a test score), and of
        those mean, sd, low, high (Student's interval); NaN if too few learned.
    """
    at_rate = at_chosen_rates(trials, rates)
    at_rate = at_rate.assign(score=at_rate["score"].where(~at_rate["failed"]))
    groups = at_rate.groupby(["case", "arm"], sort=False)
    table = groups.agg(
        lr=("lr", "first"),
        n=("failed", "size"),
        failed=("failed", "sum"),
        learned=("score", "count"),
        mean=("score", "mean"),
        sd=("score", "std"),
        metric=("metric", "first"),
    )
    low, high = t_interval(table["mean"], table["sd"], table["learned"])
    return table.assign(low=low, high=high).reset_index()


def score_pairs(trials: pd.DataFrame, rates: pd.DataFrame, arm: str, control: str) -> np.ndarray:
    """Test scores of an arm and of the control of one case, each at its own rate, for seeds with which both learned.

    Args:
        rates: Columns case, arm, lr.

    Returns:
        The score of the arm and that of the control, (pairs, 2).
    """
    at_rate = (
        trials[~trials["failed"]].merge(rates, on=["case", "arm", "lr"]).drop_duplicates(["arm", "seed"])
    )
    scores = at_rate.pivot(index="seed", columns="arm", values="score").reindex(columns=[arm, control])
    return scores.dropna().to_numpy(float)


@takes_trials
def paired_scores(
    trials: pd.DataFrame, rates: pd.DataFrame | None = None, control: str | None = None
) -> pd.DataFrame:
    """The rows of `paired_differences` with their tests.

    Args:
        rates, control: As in `paired_differences`.

    Returns:
        Those rows with p (exact sign-flip permutation test), smallest_p (the smallest that so many pairs can reach)
        and p_holm.
    """
    rates = choose_rates(trials) if rates is None else rates
    return each_case(trials, lambda mine, against: _tested(mine, rates, against), control)


def _tested(trials: pd.DataFrame, rates: pd.DataFrame, control: str) -> pd.DataFrame:
    """The rows of `paired_scores` of one case."""
    table = _differences(trials, rates, control)
    pairs = [score_pairs(trials, rates, arm, control) for arm in table["arm"]]
    tests = {
        "p": [sign_flip_test(ours - theirs) for ours, theirs in (each.T for each in pairs)],
        "smallest_p": [smallest_p(len(each)) for each in pairs],
    }
    table = table.assign(**{name: np.array(values, float) for name, values in tests.items()})
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


@takes_trials
def paired_differences(
    trials: pd.DataFrame, rates: pd.DataFrame | None = None, control: str | None = None
) -> pd.DataFrame:
    """Difference of test scores, each other arm of a case minus its control, over the pairs in which both learned.

    Each at its own rate, paired by seed.

    Args:
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.
        control: An arm, each study's own if None.

    Returns:
        One row per case and arm: case, arm, control, pairs, difference, low, high (Student's interval of the paired
        differences).
    """
    rates = choose_rates(trials) if rates is None else rates
    return each_case(trials, lambda mine, against: _differences(mine, rates, against), control)


def _differences(trials: pd.DataFrame, rates: pd.DataFrame, control: str) -> pd.DataFrame:
    """The rows of `paired_differences` of one case."""
    present = set(trials.merge(rates, on=["case", "arm", "lr"])["arm"])
    rows = []
    for arm in [arm for arm in trials["arm"].unique() if arm != control and arm in present]:
        ours, theirs = score_pairs(trials, rates, arm, control).T
        differences = ours - theirs
        n = len(differences)
        mean = float(differences.mean()) if n else float("nan")
        low, high = t_interval(mean, differences.std(ddof=1) if n > 1 else float("nan"), n)
        row = {"arm": arm, "control": control, "pairs": n, "difference": mean}
        rows.append({**row, "low": float(low), "high": float(high)})
    return pd.DataFrame(rows, columns=["arm", "control", "pairs", "difference", "low", "high"])


def smallest_p(pairs: int) -> float:
    """The smallest p value that `sign_flip_test` can give; NaN without pairs."""
    if not pairs:
        return float("nan")
    return 2.0 ** (1 - pairs) if pairs <= EXACT_PAIRS else 1 / FLIPS


def sign_flip_test(differences: np.ndarray, draws: int = FLIPS) -> float:
    """Two-sided p value for paired differences (pairs,) being symmetric about 0, by flipping their signs.

    All 2^pairs flips up to 16 pairs, else `draws` random ones with the observed one counted among them (Fisher 1935;
    Phipson and Smyth 2010). NaN without pairs.
    """
    n = len(differences)
    if n == 0:
        return float("nan")
    if n <= EXACT_PAIRS:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.int8)
    else:
        signs = np.random.default_rng(0).choice(np.array([1, -1], np.int8), (draws, n))
        signs[0] = 1
    # scipy.stats.permutation_test agrees, except on sums that are 0 up to rounding, which it does not take as equal.
    observed = abs(differences.sum())
    rounding = 1e-12 * np.abs(differences).sum()
    return float(np.mean(np.abs(signs @ differences) >= observed - rounding))
