"""What README says can be done, can be done."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from study.config import resolve_config
from study.plan import plan

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_of_relaxation_runs_and_is_equivariant_at_the_end():
    (code,) = blocks("python")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    *summary, last = shown.splitlines()
    assert summary[0].startswith("2 relaxed layers add ")
    loss, error = re.fullmatch(r"loss (\S+), equivariance error (\S+)", last).groups()
    assert float(loss) < 1.0
    assert float(error) < 1e-5


def test_the_study_in_yaml_makes_a_plan():
    (content,) = [block for block in blocks("yaml") if "arms:" in block]
    study = yaml.safe_load(content)
    assert len(plan(resolve_config(study))) == len(study["arms"]) * 7 * 5 * 2


def test_it_opens_with_the_two_commands():
    first, second = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)[:2]
    assert first.endswith(".venv/bin/study run nbody-quick")
    assert second.endswith(".venv/bin/pytest")
