"""Whether the data have a preferred direction, which a relaxed network could use and a strict one cannot."""

import pandas as pd

from analysis.formats import interval

COLUMNS = ["anisotropy.auc", "anisotropy.low", "anisotropy.high"]


def pose_lines(trials: pd.DataFrame) -> list[str]:
    """One sentence for each case whose trials have the two-sample test of poses (`trainables.tasks.anisotropy`)."""
    if not set(COLUMNS) <= set(trials.columns):
        return []
    measured = trials.dropna(subset=COLUMNS).drop_duplicates("case")
    return [_sentence(case, *areas) for case, *areas in measured[["case", *COLUMNS]].itertuples(index=False)]


def _sentence(case: str, auc: float, low: float, high: float) -> str:
    found = f"with an area under the ROC curve of {interval(auc, low, high)}"
    if low > 0.5:
        return (
            f"{case}: the training data have a preferred direction. A classifier tells them from randomly rotated "
            f"ones {found} (0.5 is chance), and a relaxed arm may gain by learning it."
        )
    return (
        f"{case}: no preferred direction was found in the training data. A classifier tells them from randomly "
        f"rotated ones {found} (0.5 is chance): what a relaxed arm gains is unlikely to come from a symmetry "
        "that the data break."
    )
