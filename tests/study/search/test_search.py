"""Searched studies: which trials they have, and what is refused in one line."""

import math

import pytest
import yaml
from tests_support import CONTENT, study

from study.config import load_config, resolve_config, to_yaml
from study.folder import check_folder, write_folder
from study.plan import plan
from trainables.results.store import open_store


def content(**search):
    return {
        **CONTENT,
        "grid": {},
        "search": {"trials": 6, "lr": {"log": [1e-4, 1e-1]}, **search},
    }


RECORDED = [(0.001067, 0), (0.01851, 1), (0.02088, 2)]  # by the first edition of the search


def draws(trials, arm):
    return [(trial.spec.training.lr, trial.spec.seed) for trial in trials if trial.arm == arm]


@pytest.fixture(autouse=True)
def with_own_samplers(monkeypatch):
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])


def test_every_arm_has_the_same_draws_each_with_its_own_seed():
    trials = plan(resolve_config(content()))
    assert len(trials) == 12
    assert draws(trials, "strict") == draws(trials, "triangle")
    rates, seeds = zip(*draws(trials, "strict"), strict=True)
    assert seeds == (0, 1, 2, 3, 4, 5)
    assert len(set(rates)) == 6
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)


def test_random_rates_are_uniform_in_the_logarithm():
    rates, _ = zip(*draws(plan(resolve_config(content(trials=2000))), "strict"), strict=True)
    shares = [sum(floor <= math.log10(rate) < floor + 1 for rate in rates) / 2000 for floor in (-4, -3, -2)]
    assert all(abs(share - 1 / 3) < 0.04 for share in shares)


def test_the_draws_of_a_study_never_change():
    assert draws(plan(resolve_config(content(trials=3))), "strict") == RECORDED


def test_another_seed_draws_other_rates():
    one, other = (draws(plan(resolve_config(content(seed=seed))), "strict") for seed in (0, 1))
    assert {rate for rate, _ in one}.isdisjoint(rate for rate, _ in other)


def test_more_trials_extend_a_study(tmp_path):
    small, large = (resolve_config(content(trials=count)) for count in (4, 6))
    store = open_store(tmp_path)
    write_folder(store, small, plan(small))
    assert draws(plan(large), "strict")[:4] == draws(plan(small), "strict")
    assert check_folder(store, large, plan(large)) == []
    store.write(f"trials/{plan(small)[0].id}/record.json", b"{}")
    store.delete("plan.json")
    assert len(check_folder(store, large, plan(large))) == 1  # only the plan is written again


def test_other_axes_multiply_the_draws():
    more = content()
    more["grid"] = {"training.weight_decay": [0.0, 0.1]}
    trials = plan(resolve_config(more))
    assert len(trials) == 24
    assert len(set(draws(trials, "strict"))) == 6


def test_study_yaml_of_a_search_gives_the_same_plan(tmp_path):
    config = resolve_config(content())
    path = tmp_path / "study.yaml"
    path.write_text(to_yaml(config))
    assert plan(load_config(str(path))) == plan(config)


def test_a_sampler_of_the_user_sees_earlier_draws():
    trials = plan(resolve_config(content(sampler="own_samplers:Halving", trials=3)))
    assert draws(trials, "strict") == [(0.05005, 0), (0.02508, 1), (0.01259, 2)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trials": 0}, "search.trials: "),
        ({"trials": None}, "search.trials: "),
        ({"lr": {"log": [1e-1, 1e-4]}}, "search.lr.log: the first must be below the second"),
        ({"lr": {"log": [0, 1]}}, "search.lr.log.0: "),
        ({"lr": [1e-3]}, "search.lr: "),
        ({"seed": -1}, "search.seed: "),
        ({"sampler": "randon"}, "unknown sampler 'randon'; did you mean 'random'?"),
        ({"sampler": "nowhere:Sampler"}, "search.sampler: 'nowhere:Sampler' cannot be imported"),
        ({"sampler": "own_samplers:Missing"}, "search.sampler: 'own_samplers:Missing' cannot be imported"),
        ({"sampler": "own_samplers:function"}, "is not a class with a method `ask`"),
        ({"sampler": "own_samplers:Silent"}, "is not a class with a method `ask`"),
        (
            {"sampler": "own_samplers:NotANumber"},
            "proposes nan, which is not a learning rate from 0.0001 to 0.1",
        ),
        ({"sampler": "own_samplers:TooLarge"}, "proposes 0.2, which is not a learning rate"),
        ({"sampler": "own_samplers:Word"}, "proposes '0.01', which is not a learning rate"),
        ({"sampler": "own_samplers:Failing"}, "fails: RuntimeError: no idea at all"),
    ],
)
def test_an_invalid_search_is_refused_in_one_line(tmp_path, changes, words):
    assert_one_line(tmp_path, content(**changes), words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"grid": {"lr": [1e-3]}}, "leave out grid.lr or search"),
        ({"grid": {"seed": 3}}, "leave out grid.seed or search"),
        ({"refine": {"edge": 0.1, "budget": 99}}, "leave out search or refine"),
    ],
)
def test_settings_that_a_search_replaces_are_refused(tmp_path, more, words):
    assert_one_line(tmp_path, {**content(), **more}, words)


def assert_one_line(tmp_path, asked, words):
    path = tmp_path / "asked.yaml"
    path.write_text(yaml.safe_dump(asked))
    finished = study("plan", path, "--json")
    assert finished.returncode == 2, finished
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert "Traceback" not in finished.stderr


def test_plan_shows_the_budget(tmp_path, monkeypatch):
    monkeypatch.setattr("study.rehearsal.price.priced", lambda *_: [])
    path = tmp_path / "asked.yaml"
    path.write_text(yaml.safe_dump(content()))
    shown = study("plan", path).stdout
    assert "small: 12 trials" in shown
    assert "search: 6 learning rates from 0.0001 to 0.1 drawn by random" in shown
