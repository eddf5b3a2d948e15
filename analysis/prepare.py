"""The tidy table prepared for statistics: separate cases, distinct names of arms, one loss for every trial."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from trainables.results.outcomes import Outcome

COMPARED = ("task.", "model.", "training.", "failure.")
OPTIMIZER_REVISION = "training.optimizer_revision"
CONTROL_METHOD = "strict"

Options = ParamSpec("Options")
Answer = TypeVar("Answer")


def prepare(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that count (learned or failed) with the columns that the statistics read.

    Adds case: task, model and every other setting that differs between trials, except the learning rate, the seed and
    the method; failed: bool; loss, val_score, score: see `with_losses`. Arms with one name but different methods get
    distinct names in `arm`. A trial that two studies share is kept once.

    Args:
        trials: From `analysis.load_trials`, or several such tables joined by `pandas.concat`.
    """
    trials = name_cases(trials).copy()  # in one block again: pandas warns of tables made column by column
    judged = _one_seed(trials[trials["outcome"].isin([Outcome.LEARNED, Outcome.FAILED])])
    return with_losses(judged.drop_duplicates(["case", "arm", "spec"]).reset_index(drop=True))


def name_cases(trials: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `case`, and with `arm` naming the options in which arms of one name differ."""
    trials = trials.reset_index(drop=True)
    case = trials["task"].fillna("unknown task") + " · " + trials["model"].fillna("unknown model")
    arm = trials["arm"].fillna("unnamed").astype(str)
    shared, own = _settings(trials)
    method = trials[["method", *(name for name in trials if name.startswith("method."))]]
    return trials.assign(
        case=case + _differences(shared, case, ", {}"),
        arm=arm + _differences(method.join(own), arm, " ({})"),
        is_control=_is_control(trials),
    )


def _has_two_revisions(trials: pd.DataFrame) -> bool:
    """Whether one optimizer occurs in two revisions; if none does, its name determines its revision."""
    if not {"training.optimizer", OPTIMIZER_REVISION} <= set(trials.columns):
        return False
    revisions = trials.groupby("training.optimizer")[OPTIMIZER_REVISION].nunique(dropna=False)
    return bool((revisions > 1).any())


def _settings(trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The settings that the arm does not decide, and the arm's own training settings (else missing)."""
    compared = [name for name in trials if name.startswith(COMPARED)]
    if not _has_two_revisions(trials):
        compared = [name for name in compared if name != OPTIMIZER_REVISION]
    shared = trials[compared].copy()
    names = [name for name in shared if f"base.{name}" in trials]
    own = shared[names].copy()
    for name in names:
        has = trials["own"].map(lambda keys, name=name: isinstance(keys, str) and name in keys.split())
        shared[name] = shared[name].where(~has, trials[f"base.{name}"])
        own[name] = own[name].where(has)
    return shared, own


def _one_seed(trials: pd.DataFrame) -> pd.DataFrame:
    """The table with one number in `seed` for each combination of seeds, if single streams have separate seeds.

    The seed of the other streams is then in `seeds.rest`.
    """
    streams = [name for name in trials if name.startswith("seeds.")]
    if not streams:
        return trials
    combination = trials.groupby(["seed", *streams], dropna=False, sort=False).ngroup()
    return trials.assign(**{"seeds.rest": trials["seed"], "seed": combination})


def _is_control(trials: pd.DataFrame) -> pd.Series:
    """Whether a trial belongs to its study's control: the named arm, else a strict one with the shared training."""
    plain = trials["method"] == CONTROL_METHOD
    if "control" not in trials:
        return plain
    return (trials["control"] == trials["arm"]) | (trials["control"].isna() & plain & trials["own"].isna())


def _differences(settings: pd.DataFrame, groups: pd.Series, form: str) -> pd.Series:
    """For each trial the settings `name=value` that vary within its group, as text; '' for none."""
    texts = pd.Series("", index=settings.index, dtype=object)
    for _, group in settings.groupby(groups, sort=False):
        varied = [name for name in settings if group[name].nunique(dropna=False) > 1]
        for values, rows in group.groupby(varied, dropna=False, sort=False) if varied else []:
            differing = [
                f"{name}={_without_fraction(value)}"
                for name, value in zip(varied, values, strict=True)
                if not pd.isna(value)
            ]
            texts[rows.index] = form.format(", ".join(differing)) if differing else ""
    return texts


def _without_fraction(value: object) -> object:
    """A number that became a float because other rows lack one, whole again."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_losses(trials: pd.DataFrame) -> pd.DataFrame:
    """The judged trials with `failed`, and with losses and scores that failed trials have too.

    Returns:
        Columns loss, min(validation loss, loss at initialization) as in Wortsman et al. 2023 (arXiv 2309.14322), for
        a failed trial the loss at initialization; val_score and score, validation and test metric, for a failed trial
        the value at initialization if the metric is the loss, otherwise the metric of the trivial predictor;
        failed_loss and failed_score, the values that a failed trial counts with; skill, (trivial - score) /
        (trivial - best score of the case), between 0 and 1, 0 if no score beats the trivial predictor.
    """
    if trials.empty:
        numbers = dict.fromkeys(["loss", "failed_loss", "val_score", "score", "failed_score", "skill"], 0.0)
        return trials.assign(failed=False, **numbers)
    failed = trials["outcome"] == Outcome.FAILED
    smaller_is_better = trials["metric_goal"] != "max"
    at_init = trials["loss_at_init"].fillna(trials.groupby("case")["loss_at_init"].transform("median"))
    at_init = at_init.fillna(trials["trivial"].where(smaller_is_better))
    loss = trials["val_loss"].fillna(trials["val_metric"].where(smaller_is_better))
    loss = np.fmin(loss, at_init).where(~failed, at_init)
    metric_is_loss = np.isclose(trials["val_metric"], trials["val_loss"], rtol=1e-3)
    shares = pd.Series(metric_is_loss, index=trials.index)[~failed].groupby(trials["case"]).mean()
    metric_is_loss = smaller_is_better & (trials["case"].map(shares).fillna(1.0) > 0.5)
    trivial = trials["trivial"].fillna(trials.groupby("case")["trivial"].transform("median"))
    substitute = at_init.where(metric_is_loss, trivial)
    score = trials["test_metric"].where(~failed, substitute)
    scores = score.groupby(trials["case"])
    bests = scores.transform("min").where(smaller_is_better, scores.transform("max"))
    start = trivial.fillna(substitute)
    beaten = (bests < start).where(smaller_is_better, bests > start)
    skill = ((start - score) / (start - bests).where(beaten)).clip(0, 1)
    skill = skill.where(beaten | start.isna() | score.isna(), 0.0)
    return trials.assign(
        failed=failed,
        loss=loss,
        failed_loss=at_init,
        val_score=trials["val_metric"].where(~failed, substitute),
        score=score,
        failed_score=substitute,
        skill=skill,
    )


def controls(trials: pd.DataFrame) -> dict[str, str]:
    """The control of each case: the arm that the study names, else the first strict one with the shared training.

    Cases without one are left out.
    """
    marked = trials["is_control"] if "is_control" in trials else trials["method"] == CONTROL_METHOD
    first = trials[marked].drop_duplicates("case")
    return dict(zip(first["case"], first["arm"], strict=True))


def takes_trials(
    question: Callable[Concatenate[pd.DataFrame, Options], Answer],
) -> Callable[Concatenate[pd.DataFrame, Options], Answer]:
    """Let a function whose first argument is a prepared table also accept the table of `analysis.load_trials`."""

    @wraps(question)
    def wrapper(trials: pd.DataFrame, *arguments: Options.args, **options: Options.kwargs) -> Answer:
        as_loaded = "outcome" in trials and "case" not in trials
        return question(prepare(trials) if as_loaded else trials, *arguments, **options)

    return wrapper


def each_case(
    trials: pd.DataFrame, compare: Callable[[pd.DataFrame, str], pd.DataFrame], control: str | None = None
) -> pd.DataFrame:
    """`compare(trials of a case, its control)` for each case with a control, joined, with the column `case` first.

    Args:
        control: The arm to compare with in every case; each study's own if None.
    """
    if control is None:
        against = controls(trials)
    else:
        having = trials.loc[trials["arm"] == control, "case"]
        against = {case: control for case in trials["case"].unique() if case in set(having)}
        if not against:
            raise ValueError(
                f"no trial of arm {control!r}; arms: {', '.join(map(str, trials['arm'].unique()))}"
            )
    parts = []
    for case, arm in against.items():
        part = compare(trials[trials["case"] == case], arm)
        if "case" not in part:
            part.insert(0, "case", case)
        parts.append(part)
    filled = [part for part in parts if not part.empty] or parts[:1]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def one_case(trials: pd.DataFrame, case: str | None) -> pd.DataFrame:
    """The prepared trials of the case of that name, or of the only one.

    Raises:
        ValueError: If there is no such case, or there are several to choose from; the message names them.
    """
    names = list(trials["case"].unique())
    if (case is None and len(names) > 1) or (case is not None and case not in names):
        problem = "a figure shows one case" if case is None else f"no case {case!r}"
        raise ValueError(f"{problem}; choose one with case=: {'; '.join(names)}")
    return trials if case is None else trials[trials["case"] == case]


def split_searched(trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The trials at learning rates that a study set, and those at learning rates that a search drew."""
    if "searched" not in trials:
        return trials, trials.iloc[:0]
    drawn = trials["searched"].eq(True)  # missing in studies without a search
    return trials[~drawn], trials[drawn]


def first_round(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of the grid alone, which does not depend on any result."""
    return trials[trials["round"] <= 1] if "round" in trials else trials
