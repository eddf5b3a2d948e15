"""How many steps does training take to reach a target? Trials that never do are counted too."""

import numpy as np
import pandas as pd

from analysis.prepare import controls as controls_of
from analysis.prepare import takes_trials
from analysis.statistics.best_setting import at_chosen_rates
from analysis.statistics.intervals import t_interval

TARGET_MARGIN = 0.05


def survival_curve(times: np.ndarray, reached: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share that has not yet reached the target, by Kaplan and Meier (1958, JASA 53:457).

    Args:
        times: Steps at which a trial reached it, or was last observed, (trials,).
        reached: Whether it did, (trials,).

    Returns:
        The times at which the curve falls, preceded by 0, and its height from each time on, both (falls + 1,).
    """
    falls = np.unique(times[reached])
    at_risk = (times >= falls[:, None]).sum(axis=1)
    events = (times[reached] == falls[:, None]).sum(axis=1)
    return np.append(0.0, falls), np.append(1.0, np.cumprod(1 - events / np.maximum(at_risk, 1)))


def restricted_mean(times: np.ndarray, reached: np.ndarray, horizon: float) -> float:
    """Mean steps to the target, those that take longer counting as `horizon`: the area under the survival curve."""
    falls, heights = survival_curve(times, reached)
    edges = np.append(np.minimum(falls, horizon), horizon)
    return float(np.sum(np.diff(edges) * heights))


@takes_trials
def times_to_target(
    trials: pd.DataFrame,
    histories: pd.DataFrame,
    controls: dict[str, str] | None = None,
    rates: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Steps until each trial's validation metric first reaches the target of its case.

    The target is what the control reaches, the median of its learned trials' best, plus 5% of the way to the trivial
    predictor. A model in its relaxed phase is judged by its projected version (`projected_val_metric`), and not
    judged if that was not measured; a model that is delivered relaxed, as by `unconstrained`, is judged as it is. A
    failed trial has not reached the target within the horizon, the longest training of the case: it would not have
    done so later. A trial that learned, but whose history is missing, is left out.

    Args:
        histories: Result of `analysis.load_history`.
        controls: Case -> arm, each study's own if None.
        rates: One row per case and arm: case, arm, lr; those chosen on validation if None.

    Returns:
        Columns case, arm, seed, trial, target, steps, reached, horizon.
    """
    controls = controls_of(trials) if controls is None else controls
    trials = at_chosen_rates(trials, rates)
    tables = [
        _one_case(trials[trials["case"] == case], histories, control) for case, control in controls.items()
    ]
    columns = ["case", "arm", "seed", "trial", "target", "steps", "reached", "horizon"]
    tables = [table for table in tables if not table.empty]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _one_case(mine: pd.DataFrame, histories: pd.DataFrame, control: str) -> pd.DataFrame:
    sign = -1.0 if (mine["metric_goal"] == "max").any() else 1.0
    goal = mine.loc[(mine["arm"] == control) & ~mine["failed"], "val_metric"].median()
    target = goal + TARGET_MARGIN * (mine["trivial"].median() - goal)
    rows = histories[histories["trial"].isin(mine["trial"])].reset_index(drop=True)
    if not np.isfinite(target) or rows.empty or not {"step", "val_metric"} <= set(rows):
        return pd.DataFrame()
    mine = mine[mine["failed"] | mine["trial"].isin(rows["trial"])]
    good = rows[sign * _judged(rows) <= sign * target]
    first = good.groupby(good["trial"].astype(object))["step"].min()
    horizon = float(rows["step"].max())
    steps = mine["trial"].map(first).where(~mine["failed"]).astype(float)
    return mine[["case", "arm", "seed", "trial"]].assign(
        target=target, reached=steps.notna(), steps=steps.fillna(horizon), horizon=horizon
    )


def _judged(rows: pd.DataFrame) -> pd.Series:
    """The validation metric of the model that would be delivered, NaN if it was not measured."""
    metric = rows["val_metric"].astype(float)
    if "theta" not in rows:
        return metric
    projected = rows.get("projected_val_metric", pd.Series(np.nan, index=rows.index)).astype(float)
    relaxed, trial = rows["theta"] > 0, rows["trial"].astype(object)
    relaxed_at_end = relaxed.loc[rows["step"].sort_values().index].groupby(trial).transform("last")
    delivered_relaxed = relaxed_at_end & ~projected.notna().groupby(trial).transform("any")
    return metric.where(~relaxed | delivered_relaxed, projected)


@takes_trials
def time_to_target(
    trials: pd.DataFrame, histories: pd.DataFrame, rates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """How long each case and arm takes to reach the target: `restricted_means` of `times_to_target`.

    Args:
        histories, rates: As in `times_to_target`.
    """
    return restricted_means(times_to_target(trials, histories, rates=rates), controls_of(trials))


def restricted_means(times: pd.DataFrame, controls: dict[str, str]) -> pd.DataFrame:
    """Restricted mean steps of each case and arm, and its difference from the control, paired by seed.

    Args:
        times: Result of `times_to_target`.

    Returns:
        Columns case, arm, control, target, n, reached, horizon, mean, difference, low, high (Student's interval over
        the pairs).
    """
    rows = []
    for (case, arm), mine in times.groupby(["case", "arm"], sort=False):
        horizon = float(mine["horizon"].iloc[0])
        mean = restricted_mean(mine["steps"].to_numpy(float), mine["reached"].to_numpy(bool), horizon)
        theirs = times[(times["case"] == case) & (times["arm"] == controls[case])]
        control = theirs.drop_duplicates("seed").set_index("seed")["steps"]
        difference = (mine["steps"] - mine["seed"].map(control)).dropna().to_numpy(float)
        low, high = paired_interval(difference) if arm != controls[case] else (np.nan, np.nan)
        middle = difference.mean() if arm != controls[case] and len(difference) else np.nan
        row = {
            "case": case,
            "arm": arm,
            "control": controls[case],
            "target": mine["target"].iloc[0],
            "n": len(mine),
        }
        row |= {"reached": int(mine["reached"].sum()), "horizon": horizon, "mean": mean}
        rows.append({**row, "difference": middle, "low": low, "high": high})
    columns = [
        "case",
        "arm",
        "control",
        "target",
        "n",
        "reached",
        "horizon",
        "mean",
        "difference",
        "low",
        "high",
    ]
    return pd.DataFrame(rows, columns=columns)


def paired_interval(differences: np.ndarray) -> tuple[float, float]:
    """Student's 95% interval of the mean of paired differences (pairs,); NaN with fewer than two pairs."""
    n = len(differences)
    if n < 2:
        return float("nan"), float("nan")
    low, high = t_interval(differences.mean(), differences.std(ddof=1), n)
    return float(low), float(high)
