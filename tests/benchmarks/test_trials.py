"""Short trials in a reused worker, against a new worker for each."""

import subprocess
import sys
from pathlib import Path

import torch

from study.config import resolve_config
from study.plan import plan
from trainables.results.store import open_store
from trainables.spec import TrialSpec
from trainables.worker.attempt import TrialContext, attempt

CONTENT = {
    "name": "short",
    "task": {"name": "nbody", "train": 20, "val": 10, "test": 10},
    "model": {"name": "egnn", "hidden": 8, "layers": 2},
    "training": {"epochs": 1, "batch_size": 20},
    "arms": {"strict": {"method": "strict"}},
    "grid": {"lr": [1e-3], "seed": 20},
}
WORKER = "import sys; from test_trials import run; run(*sys.argv[1:])"


def run(spec, folder):
    """One trial of a results folder."""
    around = TrialContext(open_store(f"{folder}/results"), Path(folder, "data"), torch.device("cpu"))
    assert attempt(TrialSpec.model_validate_json(spec), around).outcome != "crashed"


def test_a_reused_worker(compare, tmp_path):
    specs = (trial.spec.model_dump_json() for trial in plan(resolve_config(CONTENT)))
    here = Path(__file__).parent

    def reference():
        subprocess.run([sys.executable, "-c", WORKER, next(specs), tmp_path], check=True, cwd=here)

    def ours():
        run(next(specs), tmp_path)

    compare("trial of one step", reference, ours, rounds=5)
