"""Would another test set give the same result? Test errors sample by sample, (seeds, samples).

Every trial of a case is tested on the same samples: seeds and samples are crossed. With one number for each pair of
them, d[s, i] = mean + seed[s] + sample[i] + rest[s, i], the mean over S seeds and N samples varies from study to
study, with other seeds and another test set, by

    var(mean) = var(seed) / S + var(sample) / N + var(rest) / (S N).

The variance of the S means over samples, divided by S, has the expectation var(seed) / S + var(rest) / (S N); that of
the N means over seeds, divided by N, has the expectation var(sample) / N + var(rest) / (S N). Their sum counts the
rest twice, so

    var(mean) = between_seeds / S + between_samples / N - residual / (S N)

is unbiased, with the residual mean square of the two-way table (as in two-way clustering: Cameron, Gelbach and
Miller 2011, J. Bus. Econ. Stat. 29:238). Neither of the first two terms has an expectation above var(mean), so the
estimate is never taken below the larger of them. Degrees of freedom by Satterthwaite 1946: few if seeds dominate,
many if samples do.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from analysis.prepare import each_case, takes_trials
from analysis.statistics.best_setting import choose_rates
from analysis.statistics.intervals import LEVEL, t_interval

WORST = 0.01


class Crossed(NamedTuple):
    """A mean over seeds and samples.

    Attributes:
        low, high: 95% interval over seeds and samples; NaN with fewer than two of either.
        from_samples: The part of the variance that other samples would bring, from 0 to 1.
    """

    mean: float
    low: float
    high: float
    from_samples: float


def crossed_interval(values: np.ndarray) -> Crossed:
    """The mean of `values` (seeds, samples) with the interval that the module derives."""
    seeds, samples = values.shape
    mean = float(values.mean()) if values.size else float("nan")
    if min(seeds, samples) < 2:
        return Crossed(mean, *[float("nan")] * 3)
    by_seed, by_sample = values.mean(axis=1), values.mean(axis=0)
    rest = values - by_seed[:, None] - by_sample + mean
    freedom = np.array([seeds - 1, samples - 1, (seeds - 1) * (samples - 1)])
    of_mean = np.array(
        [
            by_seed.var(ddof=1) / seeds,
            by_sample.var(ddof=1) / samples,
            np.sum(rest**2) / freedom[2] / values.size,
        ]
    )
    variance = float(max(of_mean[0] + of_mean[1] - of_mean[2], *of_mean[:2]))
    if variance == 0:
        return Crossed(mean, mean, mean, 0.0)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, variance**2 / np.sum(of_mean**2 / freedom)) * variance**0.5)
    return Crossed(mean, mean - reach, mean + reach, float((variance - of_mean[0]) / variance))


def worst_share(errors: np.ndarray) -> float:
    """The part of the sum of `errors` (samples,), none below 0, that comes from the worst 1%, at least one."""
    count = num_worst(len(errors))
    return float(np.sort(errors)[-count:].sum() / errors.sum()) if errors.sum() > 0 else float("nan")


def num_worst(samples: int) -> int:
    """How many samples make up the worst 1%."""
    return max(1, round(WORST * samples))


@takes_trials
def sample_differences(
    trials: pd.DataFrame,
    errors: pd.DataFrame,
    rates: pd.DataFrame | None = None,
    control: str | None = None,
) -> pd.DataFrame:
    """Difference of test errors, each other arm of a case minus its control, over seeds and test samples.

    Pairs are those of `paired_differences` whose errors were recorded.

    Args:
        errors: Result of `analysis.load_test_errors`.
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.
        control: An arm, each study's own if None.

    Returns:
        One row per case and arm with such pairs: case, arm, control, pairs, samples, difference, seeds_low,
        seeds_high (Student's interval over seeds, the test set as it is), low, high (over both), from_samples.
    """
    rates = choose_rates(trials) if rates is None else rates
    return each_case(trials, lambda mine, against: _differences(mine, rates, errors, against), control)


def _differences(
    trials: pd.DataFrame, rates: pd.DataFrame, errors: pd.DataFrame, control: str
) -> pd.DataFrame:
    """The rows of `sample_differences` of one case."""
    found = _by_seed(trials, rates, errors)
    rows = []
    for arm in [arm for arm in trials["arm"].unique() if arm != control]:
        ours, theirs = found.get(arm, {}), found.get(control, {})
        both = [seed for seed in ours if seed in theirs and len(ours[seed]) == len(theirs[seed])]
        both = [seed for seed in both if len(ours[seed]) == len(ours[both[0]])]
        if not both:
            continue
        values = np.array([ours[seed] - theirs[seed] for seed in both])
        mean, low, high, from_samples = crossed_interval(values)
        spread = values.mean(axis=1).std(ddof=1) if len(both) > 1 else float("nan")
        seeds_low, seeds_high = map(float, t_interval(mean, spread, len(both)))
        row = {"arm": arm, "control": control, "pairs": len(both), "samples": values.shape[1]}
        row |= {"difference": mean, "seeds_low": seeds_low, "seeds_high": seeds_high}
        rows.append({**row, "low": low, "high": high, "from_samples": from_samples})
    columns = ["arm", "control", "pairs", "samples", "difference", "seeds_low", "seeds_high"]
    return pd.DataFrame(rows, columns=[*columns, "low", "high", "from_samples"])


@takes_trials
def worst_samples(
    trials: pd.DataFrame, errors: pd.DataFrame, rates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The part of the test metric from the worst 1% of samples, for each case and arm at one learning rate.

    Only for metrics that are errors: goal "min", no value below 0.

    Args:
        errors: Result of `analysis.load_test_errors`.
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.

    Returns:
        Columns case, arm, trials, samples, worst (how many samples), share (median over trials), least, most.
    """
    rates = choose_rates(trials) if rates is None else rates
    rows = []
    for case, mine in trials[trials["metric_goal"] != "max"].groupby("case", sort=False):
        for arm, kept in _by_seed(mine, rates, errors).items():
            tables = [table for table in kept.values() if len(table) > 1 and (table >= 0).all()]
            shares = np.array([worst_share(table) for table in tables])
            if not np.isfinite(shares).any():
                continue
            samples = len(tables[0])
            row = {
                "case": case,
                "arm": arm,
                "trials": len(tables),
                "samples": samples,
                "worst": num_worst(samples),
            }
            ends = {"least": np.nanmin(shares), "most": np.nanmax(shares)}
            rows.append({**row, "share": float(np.nanmedian(shares)), **ends})
    columns = ["case", "arm", "trials", "samples", "worst", "share", "least", "most"]
    return pd.DataFrame(rows, columns=columns)


def _by_seed(
    trials: pd.DataFrame, rates: pd.DataFrame, errors: pd.DataFrame
) -> dict[str, dict[int, np.ndarray]]:
    """By arm and seed, the errors (samples,) in the judged metric of trials of one case that learned at the rate."""
    at_rate = (
        trials[~trials["failed"]].merge(rates, on=["case", "arm", "lr"]).drop_duplicates(["arm", "seed"])
    )
    mine = errors[errors["trial"].isin(at_rate["trial"])]
    tables = {str(trial): rows for trial, rows in mine.groupby("trial", sort=False, observed=True)}
    found: dict[str, dict[int, np.ndarray]] = {}
    for row in at_rate.itertuples():
        if row.trial in tables and row.metric in tables[row.trial]:
            values = tables[row.trial][row.metric].to_numpy(float)
            if np.isfinite(values).all():
                found.setdefault(row.arm, {})[row.seed] = values
    return found
