"""A user's config becomes a study, or an error of one clear line."""

import copy
from pathlib import Path

import pytest
import yaml
from tests_support import CONTENT, changed

from study.config import load_config, override, presets, resolve_config, to_yaml
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.yaml_text import read_yaml

REFERENCE = Path(__file__).parents[2] / "analysis" / "reference"


def test_the_grid_is_expanded():
    config = resolve_config(CONTENT)
    assert config.grid == {"lr": [1e-4, 1e-3, 1e-2, 1e-1], "seed": [0, 1, 2]}
    assert config.task["seed"] == 43


def test_every_arm_is_planned_once_at_every_point_of_the_grid():
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


def test_the_plan_fills_in_the_edition_of_the_optimizer():
    names = ["adam", "muon", "torch.optim:AdamW"]
    trials = plan(resolve_config(changed("grid/training.optimizer", names)))
    editions = {trial.spec.training.optimizer: trial.spec.training.optimizer_revision for trial in trials}
    assert editions == {"adam": 1, "muon": 2, "torch.optim:AdamW": 2}
    adam = next(trial.spec for trial in trials if trial.spec.training.optimizer == "adam")
    assert "optimizer_revision" not in adam.model_dump_json()  # as in the specs from before it existed
    with pytest.raises(BadInput, match=r"training\.optimizer_revision: unknown key"):
        resolve_config(changed("training/optimizer_revision", 1))
    own = changed("arms/strict/training", {"optimizer": "torch.optim:AdamW"})
    assert {t.spec.training.optimizer_revision for t in plan(resolve_config(own)) if t.arm == "strict"} == {2}


def test_anything_but_a_torch_optimizer_is_refused_with_its_key():
    with pytest.raises(BadInput, match=r"training\.optimizer: is not a torch optimizer"):
        resolve_config(changed("training/optimizer", "torch.nn:Linear"))
    with pytest.raises(BadInput, match=r"training\.optimizer: unknown optimizer; did you mean 'muon'"):
        plan(resolve_config(changed("grid/training.optimizer", ["adam", "mun"])))


def test_an_axis_of_one_arm_multiplies_only_its_trials():
    content = changed("grid/arms.triangle.penalty.lie", [0, 0.1, 1])
    trials = plan(resolve_config(content))
    assert [trial.arm for trial in trials].count("strict") == 12
    assert [trial.arm for trial in trials].count("triangle") == 36
    assert len({trial.id for trial in trials}) == len(trials) == 48
    weights = {trial.spec.method["penalty"]["lie"]["weight"] for trial in trials if trial.arm == "triangle"}
    assert weights == {0, 0.1, 1}
    assert {
        trial.spec.method["penalty"]["norm"]["weight"] for trial in trials if trial.arm == "triangle"
    } == {0.01}


def test_an_axis_of_all_arms_applies_to_those_that_have_the_option():
    content = changed("grid/arms.*.strict_phase", [0.1, 0.2])
    content["arms"]["a.c"] = {"method": "ace"}
    trials = plan(resolve_config(content))
    assert {arm: [t.arm for t in trials].count(arm) for arm in content["arms"]} == {
        "strict": 12,
        "triangle": 24,
        "a.c": 24,
    }


def test_an_axis_may_name_an_arm_with_a_dot_and_a_resolved_config_keeps_it(tmp_path):
    content = changed("arms/a.c", {"method": "ace"})
    content["grid"] = {"lr": [1e-3], "seed": 1, "arms.a.c.dual_lr": [0.1, 0.2]}
    config = resolve_config(content)
    assert len(plan(config)) == 4
    (tmp_path / "study.yaml").write_text(to_yaml(config))
    assert plan(load_config(str(tmp_path / "study.yaml"))) == plan(config)
    assert len(plan(load_config(str(tmp_path / "study.yaml"), ["arms.a.c.strict_phase=0.3"]))) == 4


def test_an_axis_may_include_the_default_of_a_setting_that_was_added_later():
    trials = plan(resolve_config(changed("grid/training.clip", [None, 1])))
    assert {trial.spec.training.clip for trial in trials} == {None, 1.0}


@pytest.mark.parametrize(
    ("written", "seeds"), [(2, [0, 1]), (2.0, [0, 1]), ([2], [2]), ([2.0], [2]), ("[7, 9]", [7, 9])]
)
def test_a_number_of_seeds_and_a_list_of_seeds(written, seeds):
    config = load_config("nbody-quick", [f"grid.seed={written}"])
    assert config.grid["seed"] == seeds
    assert all(isinstance(seed, int) for seed in config.grid["seed"])


@pytest.mark.parametrize(
    ("override", "norm", "lie"),
    [
        ("arms.triangle={method: relaxed, penalty: {lie: 1e-1}}", 0.01, 0.1),
        ("arms.triangle={method: relaxed, penalty: {norm: 1e-1}}", 0.1, 0.01),
        ("arms.triangle={method: relaxed, penalty: {lie: {course: theta}}}", 0.01, 0.01),
        ("arms.triangle.penalty={lie: 1e-1}", 0.01, 0.1),
        ("arms.triangle.penalty.lie=1e-1", 0.01, 0.1),
        ("arms.triangle.penalty.lie=0", 0.01, 0),
    ],
)
def test_a_partial_block_keeps_its_other_defaults(override, norm, lie):
    config = load_config("nbody-quick", ["arms.triangle={method: relaxed}", override])
    penalty = config.arms["triangle"]["penalty"]
    assert (penalty["norm"]["weight"], penalty["lie"]["weight"]) == (norm, lie)


def test_arms_may_be_named_on_and_off():
    config = load_config(
        "nbody-quick", ["arms={on: {method: strict}, off: {method: relaxed}, 1e3: {method: ace}}"]
    )
    assert list(config.arms) == ["on", "off", "1e3"]
    again = resolve_config(read_yaml(to_yaml(config)))
    assert again == config


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_config_that_pyyaml_wrote_still_gives_the_same_content(path):
    text = path.read_text()
    assert read_yaml(text) == yaml.safe_load(text)
    config = load_config(str(path))
    assert yaml.safe_load(to_yaml(config)) == read_yaml(to_yaml(config))


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
        ("grid/lr", ["1e-3", 0.001], ["grid.lr", "twice: 0.001"]),
        ("grid/lr", [1, 1.0], ["grid.lr", "twice"]),
        ("grid/seed", [1, 1.0], ["grid.seed", "twice"]),
        ("grid/training.weight_decay", [0, 0.0], ["grid.training.weight_decay", "twice"]),
        ("grid/model.hidden", [8, 8.0], ["grid.model.hidden", "twice"]),
        (
            "grid/arms.triangle.penalty.lie",
            [0.1, {"weight": 0.1}],
            ["grid.arms.triangle.penalty.lie", "twice"],
        ),
        ("grid/lr", {"log": [1e-4, 1e-1], "points": 10**9}, ["grid.lr", "1,000 points"]),
        ("grid/lr", [True], ["grid.lr", "must be a number"]),
        ("grid/seed", 20240607, ["grid.seed: 20240607 means 20,240,607 seeds", "write [20240607]"]),
        ("grid/seed", 1001, ["grid.seed: 1001 means 1,001 seeds", "write [1001]"]),
        ("grid/seed", 5.5, ["grid.seed", "integer", "5.5"]),
        ("grid/seed", 0, ["grid.seed", "[N] means the one seed N"]),
        ("grid/seed", -3, ["grid.seed", "[N] means the one seed N"]),
        ("grid/seed", True, ["grid.seed", "must be a number"]),
        ("grid/seed", "many", ["grid.seed", "many"]),
        (
            "grid",
            {"lr": {"log": [1e-4, 1], "points": 1000}, "seed": 1000},
            ["grid: gives 2,000,000 trials", "fewer values"],
        ),
        (
            "grid/arms.triangl.penalty.lie",
            [0.1],
            ["grid.arms.triangl.penalty.lie", "did you mean 'triangle'"],
        ),
        ("grid/arms.strict.penalty.lie", [0.1], ["grid.arms.strict.penalty", "unknown key"]),
        ("grid/arms.triangle.penalti.lie", [0.1], ["grid.arms.triangle.penalti", "did you mean 'penalty'"]),
        ("grid/arms.*.dual_lr", [0.1], ["grid.arms.*.dual_lr", "no arm has the option 'dual_lr'"]),
        ("grid/arms.*.schedul", ["step"], ["grid.arms.*.schedul", "did you mean 'schedule'"]),
        ("grid/arms.triangle", [0.1], ["grid.arms.triangle", "name an option of the arm"]),
        (
            "grid/arms.triangle.method",
            ["ace"],
            ["grid.arms.triangle.method", "a method needs its own arm"],
        ),
        ("grid/failure.diverged.factor", [2, 3], ["grid.failure.diverged.factor", "the same for all trials"]),
        ("grid/resources.cpus", [1, 2], ["grid.resources.cpus", "changes no result"]),
        ("grid/training.lr", [0.1], ["grid.training.lr", "write grid.lr"]),
        ("grid/training.optimiser", ["sgd"], ["grid.training.optimiser", "did you mean 'optimizer'"]),
        ("grid/training.optimizer", ["sdg"], ["grid.training.optimizer", "'sgd'"]),
        ("grid/model.name", ["egnn", "vn_pointnet"], ["grid.model.name: 'vn_pointnet'", "study report A B"]),
        ("training/weight_decay", True, ["training.weight_decay", "true, but must be a number"]),
        ("training/epochs", False, ["training.epochs", "false, but must be a number"]),
        ("model/hidden", True, ["model.hidden", "true, but must be a number"]),
        ("arms/triangle/penalty", {"lie": True}, ["arms.triangle.penalty.lie", "true, but must be a number"]),
        ("arms/triangle/penalty", {}, ["arms.triangle.penalty: is empty", "norm, lie, parity"]),
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
def test_bad_input_is_refused_in_one_line_that_names_the_key(path, value, words):
    with pytest.raises(BadInput) as caught:
        plan(resolve_config(changed(path, value)))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("path", ["training/optimizer", "arms/triangle/schedule"])
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def fall(t) return 1 - t", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_a_users_module_that_cannot_be_imported_gives_one_line(path, source, message, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        BadInput, match=f"{path.replace('/', '.')}: .*cannot be imported: {message}"
    ) as caught:
        resolve_config(changed(path, "broken_module:fall"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [1", r"study\.yaml, line 1: expected ',' or '\]'"),
        ("- 1\n- 2", "must be a mapping"),
        ("", "must be a mapping"),
        ("!!python/object/apply:os.system [echo]", "line 1: the tag .* is not allowed in a config"),
        (
            "name: a\narms:\n  x: {method: strict}\n  x: {method: ace}",
            r"line 4: arms\.x: duplicate key, first on line 3",
        ),
        ("name: a\ngrid: {}\nname: b\ngrid: {}", "line 3: name: duplicate key, first on line 1"),
        ("grid: {lr: [1.0e-3], lr: [1.0e-2]}", r"line 1: grid\.lr: duplicate key"),
    ],
)
def test_a_file_that_is_not_a_study_is_refused(tmp_path, content, words):
    path = tmp_path / "study.yaml"
    path.write_text(content)
    with pytest.raises(BadInput, match=words):
        load_config(str(path))


def test_an_unknown_preset_suggests_the_nearest():
    with pytest.raises(BadInput, match=r"did you mean 'nbody-quick'"):
        load_config("nbody-quik")


@pytest.mark.parametrize("override", ["training.epochs", "=3", "name.first=3", "training.epochs=[1"])
def test_a_broken_override_is_refused(override):
    with pytest.raises(BadInput, match="--set"):
        load_config("nbody-quick", [override])


@pytest.mark.parametrize(
    ("change", "axis", "values"),
    [
        ("grid.training.clip=[1, 2]", "training.clip", [1.0, 2.0]),
        ("grid.arms.triangle.penalty.lie=[0, 1]", "arms.triangle.penalty.lie", None),
        ("grid.seed.init=3", "seed.init", [0, 1, 2]),
        ("grid.model.hidden={log: [8, 16], points: 2}", "model.hidden", [8, 16]),
        ("grid.lr.points=2", "lr", [1e-4, 1e-1]),
        ("grid.seed=1", "seed", [0]),
    ],
)
def test_a_change_below_grid_names_an_axis_by_the_rest_of_its_key(change, axis, values):
    grid = resolve_config(override(copy.deepcopy(CONTENT), [change])).grid
    assert list(grid) == ["lr", "seed", *([axis] if axis not in ("lr", "seed") else [])]
    assert values is None or grid[axis] == values


def test_a_change_of_an_unknown_axis_is_refused_with_its_key():
    with pytest.raises(BadInput, match=r"grid\.trainig\.clip: unknown key"):
        resolve_config(override(copy.deepcopy(CONTENT), ["grid.trainig.clip=[1, 2]"]))
