"""What a user writes becomes a study, or one clear line."""

import pytest
from tests_support import CONTENT, changed

from study.config import load_config, presets, resolve_config, to_yaml
from study.plan import plan
from trainables.errors import BadInput


def test_the_grid_is_spelled_out():
    config = resolve_config(CONTENT)
    assert config.grid == {"lr": [1e-4, 1e-3, 1e-2, 1e-1], "seed": [0, 1, 2]}
    assert config.task["seed"] == 43


def test_every_arm_meets_every_point_of_the_grid_once():
    trials = plan(resolve_config(CONTENT))
    assert len(trials) == 2 * 4 * 3
    assert len({trial.id for trial in trials}) == len(trials)
    pairs = {
        arm: {(t.spec.training.lr, t.spec.seed) for t in trials if t.arm == arm} for arm in CONTENT["arms"]
    }
    assert pairs["strict"] == pairs["triangle"]


def test_names_and_resources_are_not_part_of_a_trial():
    ids = {trial.id for trial in plan(resolve_config(CONTENT))}
    other = {**CONTENT, "name": "other", "resources": {"cpus": 2}}
    assert {trial.id for trial in plan(resolve_config(other))} == ids


def test_the_resolved_yaml_gives_the_same_plan(tmp_path):
    config = resolve_config(CONTENT)
    (tmp_path / "study.yaml").write_text(to_yaml(config))
    assert plan(load_config(str(tmp_path / "study.yaml"))) == plan(config)


def test_a_grid_may_vary_any_setting():
    content = changed("grid/training.optimizer", ["adam", "sgd"])
    trials = plan(resolve_config(content))
    assert len(trials) == 48
    assert {trial.spec.training.optimizer for trial in trials} == {"adam", "sgd"}


def test_overrides_change_keys_of_the_file():
    config = load_config(
        "nbody-quick", ["training.epochs=3", "grid.lr=[1.0e-3]", "task={name: nbody, train: 7}"]
    )
    assert config.training.epochs == 3
    assert config.grid["lr"] == [1e-3]
    assert config.task["train"] == 7


@pytest.mark.parametrize("name", presets())
def test_every_preset_makes_a_plan(name):
    trials = plan(load_config(name))
    assert len(trials) >= 6
    assert "strict" in {trial.arm for trial in trials}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("tsk", {}, ["tsk", "did you mean 'task'"]),
        ("task/name", "nbdy", ["task.name", "nbdy", "did you mean 'nbody'"]),
        ("task/trian", 10, ["task.trian", "did you mean 'train'"]),
        ("task/train", 0, ["task.train", "greater than or equal to 1"]),
        ("task/train", "many", ["task.train"]),
        ("model/name", "eggn", ["model.name", "did you mean 'egnn'"]),
        ("model/hiden", 8, ["model.hiden", "did you mean 'hidden'"]),
        ("model/name", "nowhere.to:Find", ["model.name", "nowhere"]),
        ("model", None, ["model: missing"]),
        ("training/epoch", 3, ["training.epoch", "did you mean 'epochs'"]),
        ("training/epochs", 2.5, ["training.epochs"]),
        ("training/optimizer", "adamm", ["training.optimizer", "adam"]),
        ("training/lr", 1e-3, ["training.lr"]),
        ("arms/strict/method", "strickt", ["arms.strict", "did you mean 'strict'"]),
        ("arms/strict/method", None, ["arms.strict.method"]),
        ("arms/triangle/schedule", "tringle", ["arms.triangle.schedule", "triangle"]),
        ("arms/triangle/penalty", {"li": 0.01}, ["arms.triangle.penalty.li", "'lie'"]),
        ("arms/triangle/penalty", {"lie": -1}, ["arms.triangle.penalty.lie"]),
        ("arms", {}, ["arms"]),
        ("arms/same", {"method": "strict"}, ["arms.same", "arms.strict"]),
        ("grid/lr", {"log": [1e-4, 1e-1]}, ["grid.lr", "points"]),
        ("grid/lr", [], ["grid.lr", "empty"]),
        ("grid/lr", [1e-3, 1e-3], ["grid.lr", "twice"]),
        ("grid/lr", [-1.0], ["grid.lr", "greater than 0"]),
        ("grid/seed", [-1], ["grid.seed"]),
        ("grid/lrr", [1], ["grid.lrr", "unknown key"]),
        ("grid/model.hiden", [1], ["grid.model.hiden"]),
        ("grid/model.hidden", [0], ["grid.model.hidden"]),
        ("failure/diverged", {"factr": 3}, ["failure.diverged.factr", "factor"]),
        ("resources/cpu", 1, ["resources.cpu", "did you mean 'cpus'"]),
        ("resources/cpus", 0, ["resources.cpus"]),
        ("resources", {"gpus": 1, "processes": 2}, ["resources.processes", "set resources.gpus to 2"]),
        ("name", "a/b", ["name"]),
    ],
)
def test_bad_input_is_one_line_that_names_the_key(path, value, words):
    with pytest.raises(BadInput) as caught:
        plan(resolve_config(changed(path, value)))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [1", "not readable YAML"),
        ("- 1\n- 2", "must be a mapping"),
        ("", "must be a mapping"),
        ("!!python/object/apply:os.system [echo]", "not readable YAML"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path, content, words):
    path = tmp_path / "study.yaml"
    path.write_text(content)
    with pytest.raises(BadInput, match=words):
        load_config(str(path))


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(BadInput, match=r"did you mean 'nbody-quick'"):
        load_config("nbody-quik")


@pytest.mark.parametrize("override", ["training.epochs", "=3", "name.first=3", "training.epochs=[1"])
def test_a_broken_override_is_refused(override):
    with pytest.raises(BadInput, match="--set"):
        load_config("nbody-quick", [override])
