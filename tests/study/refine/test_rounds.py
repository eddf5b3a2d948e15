"""Rounds depend on config and records only: killed, damaged and extended studies end with the same trials."""

import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest
from tests_support import CONTENT, study

from analysis.statistics.precision import LEAST_PAIRS
from study.config import resolve_config
from study.folder import check_folder, known_trials, later_rounds, write_folder
from study.plan import plan
from study.refine.rounds import next_round, still_open, with_rounds
from study.refine.rule import Wanted, at_chosen_rates, lattice_rate, pairs_needed, rate_near
from study.refine.wide import wide_intervals
from trainables.errors import BadInput
from trainables.results.record import Record, write_outcome
from trainables.results.store import open_store

EDGES = {"strict": -1.9, "triangle": -2.2}


def content(**refine):
    grid = {"lr": {"log": [1e-4, 1e-1], "points": 4}, "seed": 2}
    return {**CONTENT, "grid": grid, "refine": {"edge": 0.1, "budget": 200, **refine}}


def record(trial, crashed=False):
    """The made-up record of a trial: failed beyond the edge of its arm, else a score with noise from its id."""
    place = math.log10(trial.spec.training.lr)
    failed = place > EDGES[trial.arm]
    luck = int(hashlib.sha256(trial.id.encode()).hexdigest(), 16) % 1000 / 1000 - 0.5
    score = 0.01 * (1 + 0.1 * luck + 0.3 * (place + 3) ** 2)
    numbers = {} if failed or crashed else {"val_metric": score, "val_loss": score, "test_metric": score}
    outcome = "crashed" if crashed else "failed" if failed else "learned"
    reason = "node_lost" if crashed else "diverged" if failed else None
    shared = {"metric": "mse", "metric_goal": "min", "trivial": 0.1, "loss_at_init": 0.11}
    return Record(trial.id, trial.spec.model_dump(mode="json"), outcome, reason, **shared, **numbers)


def run(config, trials=None, records=None, most=math.inf):
    """Run a study round by round to its end, or until `most` trials have a record; returns trials and records."""
    records = {} if records is None else records
    trials = with_rounds(config, trials or plan(config), records)
    while missing := [trial for trial in trials if trial.id not in records]:
        for trial in missing:
            if len(records) >= most:
                return trials, records
            records[trial.id] = record(trial)
        trials = with_rounds(config, trials, records)
    return trials, records


def ids(trials):
    return [(trial.id, trial.arm, trial.round) for trial in trials]


def test_rounds_continue_until_every_edge_is_known():
    config = resolve_config(content())
    trials, records = run(config)
    assert len(trials) > 16
    assert still_open(config, trials, records) == []
    assert still_open(config, trials[:16], records) != []
    assert len({trial.id for trial in trials}) == len(trials)


def test_new_rates_lie_on_the_lattice_near_the_edges_and_are_shared_by_all_arms():
    trials, _ = run(resolve_config(content()))
    added = {arm: {t.spec.training.lr for t in trials if t.arm == arm and t.round > 1} for arm in EDGES}
    assert added["strict"] == added["triangle"]
    for rate in added["strict"]:
        assert rate == lattice_rate(math.log10(rate), -4, -1)
        assert -3 < math.log10(rate) < -1
    pairs = [{(t.spec.training.lr, t.spec.seed) for t in trials if t.arm == arm} for arm in EDGES]
    assert pairs[0] == pairs[1]


@pytest.fixture(scope="module")
def undisturbed():
    """The trials of a study that is not interrupted; the tests below interrupt the same study."""
    return run(resolve_config(content(score=0.02)))[0]


@pytest.mark.parametrize("killed_after", [3, 16, 19])  # in the grid of 16 trials, at its end, and in round 2
def test_a_killed_study_ends_with_the_trials_of_an_undisturbed_one(tmp_path, undisturbed, killed_after):
    config = resolve_config(content(score=0.02))
    trials, records = run(config, most=killed_after)
    store = open_store(tmp_path)
    write_folder(store, config, trials)
    known = later_rounds(store, config)
    assert ids(known) == ids(trial for trial in trials if trial.round > 1)
    again, _ = run(config, plan(config) + known, dict(records))
    assert ids(again) == ids(undisturbed)
    without_its_plan, _ = run(config, plan(config), dict(records))
    assert ids(without_its_plan) == ids(undisturbed)


@pytest.mark.parametrize("killed_after", [3, 16, 19])
@pytest.mark.parametrize("left", [None, 200], ids=["removed", "cut short"])
def test_a_folder_whose_plan_is_lost_is_accepted_with_its_rounds(tmp_path, left, killed_after):
    config = resolve_config(content(score=0.02))
    trials, records = run(config, most=killed_after)
    store = open_store(tmp_path)
    write_folder(store, config, trials)
    for trial in trials:  # those without a record have begun
        store.write(f"trials/{trial.id}/log.txt", b"")
    for one in records.values():
        write_outcome(store, one, [])
    if left is None:
        store.delete("plan.json")
    else:
        store.write("plan.json", store.read("plan.json")[:left])
    known = known_trials(store, config, plan(config))
    assert ids(known) == ids(trials)
    assert check_folder(store, config, known) == [f"plan.json in {store.uri} was missing or damaged"]


def test_rounds_that_cannot_be_planned_again_are_named_with_their_reason(tmp_path):
    config = resolve_config(content())
    trials, records = run(config, most=19)
    store = open_store(tmp_path)
    write_folder(store, config, trials)
    store.delete("plan.json")
    for one in list(records.values())[1:]:
        write_outcome(store, one, [])
    with pytest.raises(BadInput, match=r"plan\.json is missing or damaged, and they do not follow"):
        check_folder(store, config, known_trials(store, config, plan(config)))


def test_the_budget_counts_all_trials_and_can_be_raised(tmp_path):
    small, large = (resolve_config(content(edge=0.03, budget=budget)) for budget in (24, 200))
    trials, records = run(small)
    assert len(trials) <= 24
    assert still_open(small, trials, records) != []
    store = open_store(tmp_path)
    write_folder(store, small, trials)
    assert check_folder(store, large, plan(large) + later_rounds(store, large)) == []
    more, _ = run(large, plan(large) + later_rounds(store, large), records)
    assert {trial.id for trial in trials} < {trial.id for trial in more}
    assert {trial.id for trial in more} == {trial.id for trial in run(large)[0]}


def test_score_adds_seeds_at_the_chosen_rates_of_the_arms_only():
    config = resolve_config(content(edge=None, score=0.02))
    trials, records = run(config)
    added = [trial for trial in trials if trial.round > 1]
    assert {(trial.arm, trial.spec.training.lr) for trial in added} == {("strict", 1e-3), ("triangle", 1e-3)}
    assert still_open(config, trials, records) == []


def test_edges_are_known_before_seeds_are_added_for_scores():
    config = resolve_config(content(score=0.02))
    trials, records = run(config)
    first = min(t.round for t in trials if t.round > 1 and t.spec.training.lr == 1e-3)
    known = [trial for trial in trials if trial.round < first]
    assert first > 2
    assert not [line for line in still_open(config, known, records) if "LR50" in line]
    assert [line for line in still_open(config, known, records) if "score" in line]


def test_a_rate_of_the_grid_replaces_one_of_the_lattice_within_half_a_step():
    rates = np.array([1e-3, 9.999e-3, 3.162e-2])
    assert rate_near(-2.0, rates) == 9.999e-3
    assert rate_near(-2.05, rates) == lattice_rate(-2.05, -3, -1.5)


def test_arms_that_never_learned_with_one_seed_get_seeds_until_they_do():
    columns = {"case": "one", "arm": ["strict", "ace"], "lr": 1e-3, "pairs": [np.nan, 0.0]}
    rows = pd.DataFrame({**columns, "score": [np.nan, np.inf]})
    planned = pd.Series({("strict", 1e-3): 2, ("ace", 1e-3): 2})
    assert at_chosen_rates(rows, planned, 0.02) == [
        [Wanted("one", "ace", 1e-3, 2 + LEAST_PAIRS), Wanted("one", "strict", 1e-3, 2 + LEAST_PAIRS)]
    ]


def test_a_difference_that_seems_known_from_few_pairs_gets_more():
    """Pairs that happen to agree must not end a study."""
    config = resolve_config(content(edge=None, score=0.9))
    trials, records = run(config)
    at_chosen = [trial for trial in trials if trial.spec.training.lr == 1e-3]
    assert len(at_chosen) == 2 * LEAST_PAIRS
    assert still_open(config, trials, records) == []
    assert [line for line in still_open(config, trials[:16], records) if "too few pairs" in line]


def test_crashed_trials_count_as_run_and_not_as_results():
    config = resolve_config(content())
    grid = plan(config)
    records = {trial.id: record(trial, crashed=index % 5 == 0) for index, trial in enumerate(grid)}
    assert next_round(config, grid, records)
    all_crashed = {trial.id: record(trial, crashed=True) for trial in grid}
    assert next_round(config, grid, all_crashed) == []


def test_nothing_follows_while_a_trial_lacks_its_record():
    config = resolve_config(content())
    grid = plan(config)
    records = {trial.id: record(trial) for trial in grid[1:]}
    assert with_rounds(config, grid, records) == grid


def test_pairs_needed_by_the_width_of_students_interval():
    from scipy import stats

    def width(pairs):
        return stats.t.ppf(0.975, pairs - 1) / math.sqrt(pairs)

    needed = pairs_needed(5, 3.0)
    assert width(needed) <= width(5) / 3.0 < width(needed - 1)


def test_status_shows_each_round_and_what_is_open(tmp_path):
    config = resolve_config(content(edge=0.03, budget=24))
    trials, records = run(config, most=18)
    store = open_store(tmp_path)
    write_folder(store, config, trials)
    for one in records.values():
        write_outcome(store, one, [])
    later = len(trials) - 16
    shown = json.loads(study("status", tmp_path, "--json").stdout)["refine"]
    assert shown["budget"] == 24
    assert shown["rounds"] == [
        {"round": 1, "planned": 16, "missing": 0},
        {"round": 2, "planned": later, "missing": later - 2},
    ]
    assert [(each["arm"], each["interval"], each["asked"]) for each in shown["open"]] == [
        ("strict", "edge", 0.03),
        ("triangle", "edge", 0.03),
    ]
    assert all(each["half_width"] > 0.03 for each in shown["open"])
    text = study("status", tmp_path).stdout
    assert f"round 2: {later} trials planned, {later - 2} missing" in text
    assert f"{len(trials)} trials of a budget of 24" in text
    assert text.count("open: ") == 2


def test_a_wide_interval_is_given_as_data_and_as_a_line():
    columns = {
        "case": "one",
        "arm": ["strict", "ace", "cosine"],
        "edge": [0.2, 0.1, 0.05],
        "pairs": [np.nan, 2, 9],
    }
    found = wide_intervals(pd.DataFrame({**columns, "score": [np.nan, np.inf, 0.03]}), 0.1, 0.02)
    shared = {"case": "one", "asked": 0.02, "interval": "score"}
    assert [wide.as_json() for wide in found] == [
        {"case": "one", "arm": "strict", "interval": "edge", "half_width": 0.2, "asked": 0.1, "pairs": None},
        {**shared, "arm": "ace", "half_width": None, "pairs": 2},
        {**shared, "arm": "cosine", "half_width": 0.03, "pairs": 9},
    ]
    assert [wide.line(with_case=False) for wide in found] == [
        "strict: LR50 known to within 0.2 decades, 0.1 requested",
        "ace: too few pairs for a score (2 of 8), 2.00% requested",
        "cosine: score known to within 3.00% of the control's, 2.00% requested",
    ]
    assert found[0].line(with_case=True).startswith("one, strict: ")


def test_status_of_a_study_without_rounds_shows_none(tmp_path):
    config = resolve_config(CONTENT)
    write_folder(open_store(tmp_path), config, plan(config))
    assert "refine" not in json.loads(study("status", tmp_path, "--json").stdout)
    assert "round" not in study("status", tmp_path).stdout
