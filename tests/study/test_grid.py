"""Any setting may be an axis, including an arm's own; arms may have their own training settings."""

import re

import pytest
from tests_support import CONTENT, changed

from study.config import control_of, load_config, resolve_config, to_yaml
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.folder import encode_plan


def planned(path, value, **more):
    return plan(resolve_config({**changed(path, value), **more}))


def test_an_arm_with_its_own_training_changes_no_other_id():
    before = plan(resolve_config(CONTENT))
    trials = planned("arms/warmup", {"method": "strict", "training": {"warmup": 0.1, "clip": 1}})
    assert {trial.id for trial in before} < {trial.id for trial in trials}
    own = [trial for trial in trials if trial.arm == "warmup"]
    assert {(trial.spec.training.warmup, trial.spec.training.clip) for trial in own} == {(0.1, 1.0)}
    assert own[0].shared == before[0].spec.training
    assert b'"shared"' not in encode_plan([trial.entry() for trial in before])


def test_an_arm_with_its_own_settings_survives_a_round_trip_through_yaml(tmp_path):
    content = changed("arms/warmup", {"method": "strict", "training": {"warmup": 0.1}})
    config = resolve_config({**content, "control": "warmup", "refine": {"edge": 0.1, "budget": 99}})
    (tmp_path / "study.yaml").write_text(to_yaml(config))
    again = load_config(str(tmp_path / "study.yaml"))
    assert again == config
    assert plan(again) == plan(config)


def test_the_control_is_the_first_strict_arm_with_the_shared_training():
    arms = {"warmup": {"method": "strict", "training": {"warmup": 0.1}}, **CONTENT["arms"]}
    assert control_of(resolve_config({**CONTENT, "arms": arms})) == "strict"
    assert control_of(resolve_config({**CONTENT, "arms": arms, "control": "triangle"})) == "triangle"


def test_an_axis_of_one_arm_does_not_repeat_the_others():
    trials = planned("grid/arms.triangle.penalty.lie", [0.0, 0.01])
    assert len([trial for trial in trials if trial.arm == "strict"]) == 12
    assert len([trial for trial in trials if trial.arm == "triangle"]) == 24
    assert {t.spec.method["penalty"]["lie"]["weight"] for t in trials if t.arm == "triangle"} == {0.0, 0.01}


def test_an_axis_of_every_arm_applies_to_those_that_have_the_option():
    trials = planned("grid/arms.*.strict_phase", [0.1, 0.2])
    assert len([trial for trial in trials if trial.arm == "strict"]) == 12
    assert {t.spec.method["strict_phase"] for t in trials if t.arm == "triangle"} == {0.1, 0.2}


def test_a_training_setting_of_one_arm_may_be_an_axis():
    trials = planned("grid/arms.triangle.training.warmup", [0.0, 0.2])
    assert {t.spec.training.warmup for t in trials if t.arm == "strict"} == {0.0}
    assert {t.spec.training.warmup for t in trials if t.arm == "triangle"} == {0.0, 0.2}


def test_streams_of_random_numbers_may_be_axes():
    content = {**CONTENT, "grid": {"lr": [1e-3], "seed": 1, "seed.init": 3, "seed.order": [0, 7]}}
    trials = plan(resolve_config(content))
    assert len(trials) == 2 * 3 * 2
    assert {(t.spec.init_seed, t.spec.order_seed) for t in trials} == {
        (i, o) for i in range(3) for o in (0, 7)
    }


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("control", "strickt", ["control", "strickt", "did you mean 'strict'"]),
        ("arms/strict/training", {"warm": 1}, ["arms.strict.training.warm", "did you mean 'warmup'"]),
        ("arms/strict/training", {"lr": 1}, ["arms.strict.training.lr", "unknown key"]),
        ("arms/strict/training", {"warmup": 2}, ["arms.strict.training.warmup"]),
        ("arms/strict/training", [1], ["arms.strict.training", "mapping"]),
        ("grid/arms.tringle.strict_phase", [0.1], ["grid.arms.tringle", "did you mean 'triangle'"]),
        ("grid/arms.triangle.strict_fase", [0.1], ["grid.arms.triangle.strict_fase", "strict_phase"]),
        ("grid/arms.strict.strict_phase", [0.1], ["grid.arms.strict", "strict_phase: unknown key"]),
        ("grid/arms.*.strict_fase", [0.1], ["grid.arms.*.strict_fase", "no arm has"]),
        ("grid/arms.triangle.penalty.lie", [-1.0], ["arms.triangle.penalty.lie"]),
        ("grid/arms.strict.training.warmup", [0.1], ["'strict' is the control"]),
        ("grid/failure.diverged", [0.1], ["grid.failure.diverged", "cannot be an axis"]),
        ("grid/resources.cpus", [1], ["grid.resources.cpus", "cannot be an axis"]),
        ("grid/seed.dropout", [1], ["grid.seed.dropout", "unknown key"]),
        ("grid/seed.init", [-1], ["grid.seed.init"]),
        ("grid/training", [1], ["grid.training", "unknown key"]),
        ("grid/training.lr", [1.0], ["grid.training.lr"]),
        ("grid", [], ["grid: must be a mapping"]),
        ("grid", False, ["grid: must be a mapping"]),
        ("arms/triangle/training", False, ["arms.triangle.training", "mapping"]),
        ("arms/triangle/training", [], ["arms.triangle.training", "mapping"]),
        (
            "arms/triangle/training",
            {"adamw_factor": 2},
            [
                "arms.triangle.training: adamw_factor: has no effect on 'adam'; remove it or set optimizer: muon"
            ],
        ),
        ("training/adamw_factor", 2, ["training: adamw_factor: has no effect on 'adam'; remove it or set"]),
        ("refine", {"edge": 0.1, "budget": 23}, ["refine.budget", "23", "24 trials of the grid"]),
        ("refine", {"edge": -0.1, "budget": 99}, ["refine.edge"]),
        ("refine", {"score": 0, "budget": 99}, ["refine.score"]),
        ("refine", {"budget": 99}, ["refine", "`edge`, `score` or both"]),
        ("refine", {"edge": 0.1}, ["refine.budget: missing"]),
        ("refine", {"egde": 0.1, "budget": 99}, ["refine.egde", "did you mean 'edge'"]),
    ],
)
def test_bad_input_is_refused_in_one_line_that_names_the_key(path, value, words):
    with pytest.raises(BadInput) as caught:
        planned(path, value)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert "(got {" not in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid": {"lr": [1e-3], "seed": 3}}, "extend grid.lr"),
        ({"grid": {"lr": [1e-3, 1e-2], "seed": 1}}, "extend grid.seed"),
        ({"grid": {"lr": [1e-3, 1e-2], "seed": 2, "seed.init": [1, 2]}}, "remove seed.init from the grid"),
        ({"arms": {"ace": {"method": "ace"}}, "refine": {"score": 0.1, "budget": 99}}, "no control"),
    ],
)
def test_what_cannot_be_refined_is_refused(change, words):
    with pytest.raises(BadInput, match=words):
        plan(resolve_config({**CONTENT, "refine": {"edge": 0.1, "budget": 99}, **change}))


def test_an_axis_that_an_arm_sets_itself_is_refused():
    arms = {**CONTENT["arms"], "muon": {"method": "strict", "training": {"optimizer": "muon"}}}
    with pytest.raises(BadInput, match=r"grid\.training\.optimizer: the arm 'muon' sets"):
        planned("grid/training.optimizer", ["adam", "sgd"], arms=arms)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("arms.*.strict_phase", "arms.triangle.strict_phase"),
        ("arms.triangle.strict_phase", "arms.*.strict_phase"),
        ("arms.triangle.penalty", "arms.triangle.penalty.lie"),
        ("arms.triangle.penalty.lie", "arms.triangle.penalty"),
        ("arms.*.penalty", "arms.triangle.penalty.lie"),
        ("task.augment", "task.augment.scale"),
    ],
)
def test_two_axes_of_one_option_are_refused(first, second):
    message = f"grid.{second}: grid.{first} sets the same option; remove one of them"
    with pytest.raises(BadInput, match=re.escape(message)):
        planned("grid", {"lr": [1e-3], "seed": 1, first: [0.1, 0.2], second: [0.3]})


def test_axes_of_other_options_and_other_arms_are_no_overlap():
    axes = {"arms.*.strict_phase": [0.1, 0.2], "arms.triangle.penalty.lie": [0, 1], "arms.b.penalty.lie": [0]}
    arms = {**CONTENT["arms"], "b": {"method": "relaxed", "schedule": "cosine"}}
    trials = planned("grid", {"lr": [1e-3], "seed": 1, **axes, "arms.triangle.penalty.norm": [0]}, arms=arms)
    assert [[t.arm for t in trials].count(arm) for arm in arms] == [1, 4, 2]


NAMES = {"lr": [1e-3], "seed": 1, "model.name": ["egnn", "segnn"]}


def test_an_axis_of_names_that_would_spread_the_default_of_one_model_is_refused():
    message = (
        "'segnn' would get hidden: 64, the default of 'egnn'; write model.hidden, or make a study of each"
    )
    with pytest.raises(BadInput, match=re.escape(f"grid.model.name: {message}")):
        planned("grid", NAMES, model="egnn")


@pytest.mark.parametrize(
    ("model", "axes", "widths"),
    [
        ({"name": "egnn", "hidden": 64}, {}, {("egnn", 64), ("segnn", 64)}),
        ("egnn", {"model.hidden": [8, 16]}, {(name, n) for name in ("egnn", "segnn") for n in (8, 16)}),
    ],
)
def test_an_axis_of_names_may_share_what_the_config_says(model, axes, widths, tmp_path):
    config = resolve_config({**CONTENT, "model": model, "grid": {**NAMES, **axes}})
    assert {(t.spec.model["name"], t.spec.model["hidden"]) for t in plan(config)} == widths
    (tmp_path / "study.yaml").write_text(to_yaml(config))
    assert plan(load_config(str(tmp_path / "study.yaml"))) == plan(config)
