"""cluster.yaml conforms to Ray's own schema, and its commands are valid."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "cluster.yaml").read_text())
RAY = Path(sys.executable).with_name("ray")
STAGES = ("setup", "head_setup", "head_start_ray", "worker_start_ray")
COMMANDS = [command for stage in STAGES for command in CONFIG[f"{stage}_commands"]]


def test_it_conforms_to_the_schema_of_ray():
    validate_config(prepare_config(CONFIG))


def test_a_misspelled_key_would_be_found():
    with pytest.raises(Exception, match="idle_minutes"):
        validate_config(prepare_config({**CONFIG, "idle_minutes": 5}))


def test_the_head_runs_no_trials_and_gpu_nodes_come_on_demand():
    head, *workers = CONFIG["available_node_types"].values()
    assert head["resources"] == {"CPU": 0}
    assert all(worker["min_workers"] == 0 and worker["resources"]["GPU"] > 1 for worker in workers)
    spot = [worker["node_config"].get("InstanceMarketOptions", {}).get("MarketType") for worker in workers]
    assert spot == [None, "spot"]


def test_the_dashboard_is_on_loopback_and_tokens_are_required():
    starts = [command for command in COMMANDS if " start " in command]
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_valid_shell(command):
    subprocess.run(["bash", "-n", "-c", command], check=True)


def test_options_of_ray_start_exist():
    shown = subprocess.run([RAY, "start", "--help"], capture_output=True, text=True, check=True).stdout
    started = [command.partition("ray start")[2] for command in COMMANDS if "ray start" in command]
    for option in (word.split("=")[0] for words in started for word in words.split()):
        assert option in shown


def test_exactly_this_project_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert CONFIG["file_mounts"]["~/equivariance-study"] == "."
    installed = " ".join(COMMANDS)
    for extra in re.findall(r"equivariance-study\[(\w+)\]", installed):
        assert any(word.startswith("ray[default]") for word in project["optional-dependencies"][extra])
    python = re.search(r"--python (3\.\d+)", installed).group(1)
    assert project["requires-python"] == f">={python}"
