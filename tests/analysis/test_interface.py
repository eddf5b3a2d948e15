"""Every public statistic and figure accepts the table of `load_trials` as it is."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis import REFERENCE, load_history, load_trials, plots, statistics
from analysis.prepare import prepare

STUDIES = [REFERENCE / f"reference-{name}.parquet" for name in ("egnn", "segnn")]
CASE = "nbody · segnn"
FEW = np.array([0.1, -0.2, 0.3, 0.4])
CORES = {
    "wilson": (2, 5),
    "t_interval": (0.0, 1.0, 5),
    "grid_share": (np.array([1.0, 3.0]), np.array([5.0, 5.0])),
    "newcombe_paired": (1, 5, 2, 20),
    "mcnemar_exact": (5, 2),
    "sign_flip_test": (FEW,),
    "holm": (np.array([0.01, 0.04]),),
    "verdict": (-0.2, -0.1, False),
    "not_excluded": (-0.2, 0.1),
    "equivalent_failures": ((1, 0, 0, 200), 0.1),
    "equivalent_scores": (1 + FEW / 100, 1 - FEW / 100, 0.1),
    "half_failure_rate": (np.array([0.001, 0.01, 0.1]), np.array([0.0, 1.0, 5.0]), np.full(3, 5.0)),
    "failure_curve": (np.array([0.001, 0.01, 0.1]), np.array([0.0, 1.0, 5.0]), np.full(3, 5.0)),
    "best_of": (FEW, np.array([1, 2])),
    "best_of_band": (FEW, np.array([1, 2]), -1.0, 1.0),
    "crossed_interval": (np.outer(FEW, [1.0, 2.0, 3.0]),),
    "worst_share": (np.arange(200.0),),
    "num_worst": (200,),
    "survival_curve": (np.array([1.0, 2.0, 3.0]), np.array([True, True, False])),
    "restricted_mean": (np.array([1.0, 2.0, 3.0]), np.array([True, True, False]), 3.0),
    "paired_interval": (FEW,),
    "seeds_for_score": (0.5, 1.0),
    "seeds_for_score_interval": (0.5, FEW),
    "seeds_for_failures": (0.1, 0.3, 7),
    "spikes": (np.array([1.0, 1.0, 9.0, 1.0]),),
}
"""Arguments of the functions that take numbers or arrays; a new one needs a line here."""


@pytest.fixture(scope="module")
def loaded():
    """The data a user has after three lines: two published studies with no column changed."""
    trials = pd.concat([load_trials(source) for source in STUDIES], ignore_index=True)
    histories = pd.concat([load_history(source) for source in STUDIES], ignore_index=True)
    random = np.random.default_rng(0)
    tested = trials.dropna(subset="test_metric")
    errors = pd.DataFrame(
        {"trial": tested["trial"].repeat(20), "sample": np.tile(np.arange(20), len(tested))}
    )
    errors[tested["metric"].iloc[0]] = random.exponential(size=len(errors))  # the studies stored none
    return {"trials": trials, "histories": histories, "errors": errors}


def required(function):
    """The names of the arguments without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.default is each.empty]


TABLES = [name for name in statistics.__all__ if required(getattr(statistics, name))[0] == "trials"]
ARRAYS = [name for name in statistics.__all__ if name not in TABLES]


@pytest.mark.parametrize("name", TABLES)
def test_a_statistic_takes_the_table_as_it_is(name, loaded):
    function = getattr(statistics, name)
    before = loaded["trials"].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = function(**{argument: loaded[argument] for argument in required(function)})
    prepared = {**loaded, "trials": prepare(loaded["trials"])}
    same = function(**{argument: prepared[argument] for argument in required(function)})
    pd.testing.assert_frame_equal(loaded["trials"], before)
    if name == "training_share":
        assert found == same
        return
    pd.testing.assert_frame_equal(found, same)
    assert len(found) > 1
    if "case" in found:
        assert found["case"].nunique() == 2
    else:
        assert "arm" in found  # over all cases together


@pytest.mark.parametrize("name", ARRAYS)
def test_a_core_takes_numbers_and_arrays(name):
    found = getattr(statistics, name)(*CORES[name])
    for value in found if isinstance(found, tuple) else [found]:
        assert np.all(pd.notna(value) if not isinstance(value, dict) else True)


@pytest.mark.parametrize("name", plots.__all__)
def test_a_figure_is_drawn_of_the_table_as_it_is(name, loaded):
    function = getattr(plots, name)
    if name == "figure_files":
        assert set(function(plots.overview(loaded["trials"]))) == {"svg", "pdf", "png"}
        return
    arguments = {argument: loaded[argument] for argument in required(function)}
    if "case" in inspect.signature(function).parameters:
        with pytest.raises(ValueError, match=r"choose one with case=: nbody · egnn; nbody · segnn$"):
            function(**arguments)
        arguments["case"] = CASE
    figure = function(**arguments)
    assert isinstance(figure, Figure)
    assert any(axes.has_data() for axes in figure.axes)
    one_study = {name: value for name, value in arguments.items() if name != "case"}
    assert isinstance(function(**one_study | {"trials": load_trials(STUDIES[1])}), Figure)


@pytest.mark.parametrize("package", [statistics, plots])
def test_a_package_lists_its_contents(package):
    lines = {line.split()[0]: line for line in package.__doc__.splitlines() if line.startswith("    ")}
    for name in package.__all__:
        assert len(lines[name].split()) > 3, "says in a few words what it is"
        assert inspect.getdoc(getattr(package, name))
    assert {name for name in lines if hasattr(package, name)} == set(package.__all__)


def test_a_missing_case_or_control_is_named(loaded):
    with pytest.raises(ValueError, match=r"^no case 'nbody'; choose one with case=: nbody · egnn; "):
        plots.failure_rate(loaded["trials"], case="nbody")
    with pytest.raises(ValueError, match=r"^no trial of arm 'relaxed'; arms: strict, triangle, "):
        statistics.paired_failures(loaded["trials"], "relaxed")


def test_the_control_can_be_another_arm(loaded):
    found = statistics.paired_scores(loaded["trials"], control="triangle")
    assert set(found["control"]) == {"triangle"}
    assert set(found["arm"]) == {"strict", "cosine", "ace", "unconstrained"}
