"""The examples in the README files run, and the files they name exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from study.config import resolve_config
from study.plan import plan
from study.rehearsal.check import check_model, check_trials

ROOT = Path(__file__).parents[1]
WRITTEN = [
    "README.md",
    "study/CLUSTER.md",
    *(f"{name}/README.md" for name in ("study", "trainables", "analysis", "tests")),
]
LINES_OF_A_PAGE = 190


def text(name):
    return (ROOT / name).read_text()


def blocks(language, name="README.md"):
    return re.findall(rf"```{language}\n(.*?)```", text(name), re.DOTALL)


def the_block(language, word, name="README.md"):
    (found,) = [block for block in blocks(language, name) if word in block]
    return found


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Save code as a module that a study can name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def save(name, code):
        (tmp_path / f"{name}.py").write_text(code)

    return save


def test_the_relaxation_example_runs_and_ends_equivariant():
    code = the_block("python", "relaxation.finish()", "trainables/README.md")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    *summary, last = shown.splitlines()
    assert summary[0].startswith("2 relaxed layers add ")
    loss, error = re.fullmatch(r"loss (\S+), equivariance error (\S+)", last).groups()
    assert float(loss) < 1.0
    assert float(error) < 1e-5


@pytest.mark.parametrize(
    ("number", "layers"),
    [(0, ["message", "answer"]), (1, ["first", "last"])],
    ids=["with e3nn", "without"],
)
def test_the_models_are_equivariant_and_can_be_relaxed(number, layers, module, tmp_path):
    code = [block for block in blocks("python") if "class Net" in block][number]
    module(f"readme_net{number}", code)
    strict, relaxed = check_model(f"readme_net{number}:Net", [], str(tmp_path))
    assert strict.error < 1e-12
    assert relaxed.layers == layers


def test_the_task_and_the_schedule_work_in_a_study(module, tmp_path):
    module("readme_task", the_block("python", "class Volumes", "trainables/README.md"))
    module("readme_schedule", the_block("python", "def early", "trainables/README.md"))
    study = {
        "name": "own",
        "task": {"name": "readme_task:volumes", "train": 8, "val": 8, "test": 8},
        "model": {"name": "egnn", "hidden": 8, "layers": 1},
        "arms": {"early": {"method": "relaxed", "schedule": "readme_schedule:early"}},
        "grid": {"seed": 1},
    }
    (facts,) = check_trials(plan(resolve_config(study)), str(tmp_path))
    assert facts.error < 1e-12


def test_the_yaml_study_can_be_planned():
    study = yaml.safe_load(the_block("yaml", "arms:"))
    assert len(plan(resolve_config(study))) == len(study["arms"]) * 7 * 5 * 2


def test_it_opens_with_the_two_commands():
    first, second = re.findall(r"^python3 -m venv .*$", text("README.md"), re.MULTILINE)[:2]
    assert first.endswith(".venv/bin/study run nbody-quick")
    assert second.endswith(".venv/bin/pytest -n 2 --dist loadfile")


def test_it_is_short():
    assert len(text("README.md").splitlines()) <= LINES_OF_A_PAGE


@pytest.mark.parametrize("name", WRITTEN)
def test_linked_files_exist(name):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text(name))
    missing = [link for link in links if not ((ROOT / name).parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("name", WRITTEN)
def test_named_files_exist(name):
    named = re.findall(r"`((?:study|trainables|analysis|tests)/[\w/.]+)`", text(name))
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing


def test_named_tests_exist():
    named = re.findall(r"`((?:tests/study/)?(?:\w+/)*test_\w+\.py)`", text("tests/README.md"))
    existing = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    missing = [path for path in named if Path(path).name not in existing]
    assert named
    assert not missing
