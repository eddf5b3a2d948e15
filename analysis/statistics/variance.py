"""Which factor matters? Shares of the variance of the loss."""

import numpy as np
import pandas as pd

from analysis.prepare import takes_trials

NAMES = {
    "C(arm)": "arm",
    "C(rate)": "learning rate",
    "C(seed)": "seed",
    "C(init)": "initialization",
    "C(order)": "data order",
    "C(arm):C(rate)": "arm × learning rate",
}


@takes_trials
def variance_shares(trials: pd.DataFrame) -> pd.DataFrame:
    """Share of the variance of log10(loss) by arm, learning rate, both together, seed and the rest, for each case.

    In a case with losses of 0 or below, of the loss itself. Type II sums of squares (Langsrud 2003, Statistics and
    Computing 13:163), divided by their total. A factor with one level is left out, and so is the interaction if no
    trial is left to tell it from noise. A case with collinear factors, such as when no two arms share a seed, has
    no rows.

    Returns:
        Columns case, factor, share, sum_of_squares, df, p (F test; NaN for the rest).
    """
    rows = []
    for case, mine in trials.dropna(subset="loss").groupby("case", sort=False):
        table = _anova(mine)
        if table is None or not table["sum_sq"].sum() > 0:
            continue
        for factor, line in table.iterrows():
            share = line["sum_sq"] / table["sum_sq"].sum()
            row = {"case": case, "factor": NAMES.get(str(factor), "rest"), "share": share}
            rows.append({**row, "sum_of_squares": line["sum_sq"], "df": line["df"], "p": line["PR(>F)"]})
    return pd.DataFrame(rows, columns=["case", "factor", "share", "sum_of_squares", "df", "p"])


def _anova(mine: pd.DataFrame) -> pd.DataFrame | None:
    """The type II table of one case; None if there is nothing to split or factors are collinear."""
    data = pd.DataFrame(
        {
            "y": np.log10(mine["loss"]) if (mine["loss"] > 0).all() else mine["loss"],
            "arm": mine["arm"],
            "rate": mine["lr"].astype(str),
            **_seeds(mine),
        }
    )
    levels = {name: data[name].nunique() for name in data if name != "y"}
    terms = [f"C({name})" for name, count in levels.items() if count > 1]
    filled = data.groupby(["arm", "rate"]).ngroups == levels["arm"] * levels["rate"]
    left = len(data) - levels["arm"] * levels["rate"] - sum(levels.values()) + levels["arm"] + levels["rate"]
    if min(levels["arm"], levels["rate"]) > 1 and filled and left > 0:
        terms.append("C(arm):C(rate)")
    if not terms or len(data) <= sum(levels.values()) or data["y"].std() == 0:
        return None
    from statsmodels.formula.api import ols  # takes a second, and a run needs only other statistics
    from statsmodels.stats.anova import anova_lm

    model = ols("y ~ " + " + ".join(terms), data)
    # Collinear factors, such as when no two arms share a seed, have no separate sums of squares.
    if np.linalg.matrix_rank(model.exog) < model.exog.shape[1]:
        return None
    return anova_lm(model.fit(), typ=2)


def _seeds(mine: pd.DataFrame) -> dict[str, pd.Series]:
    """The seed, and those of initial weights and data order if they differ."""
    if "seeds.rest" not in mine:
        return {"seed": mine["seed"].astype(str)}
    columns = {"seed": "seeds.rest", "init": "seeds.init", "order": "seeds.order"}
    return {name: mine[column].astype(str) for name, column in columns.items() if column in mine}
