"""A small study of a user's own model, as files in a folder, and the files that a run writes there."""

import sys
from pathlib import Path

import yaml
from tests_support import changed

STUDY = [str(Path(sys.executable).with_name("study"))]
OWN_CALLBACK = """
import sys
from pathlib import Path

from ray import tune


class Modules(tune.Callback):
    def on_trial_complete(self, **unused):
        Path("modules").write_text(" ".join(sys.modules))
"""
OWN_MODEL = "from trainables.models.egnn import EGNN\n\n\nclass Own(EGNN):\n    pass\n"
SMALL = {
    **changed("grid", {"lr": [1e-3, 1e3], "seed": 1}),
    "model": {"name": "mine:Own", "hidden": 8, "layers": 2},
}


def write_config(folder, content):
    """Write the config of a study, and next to it the user's model that it names."""
    (folder / "mine.py").write_text(OWN_MODEL)
    (folder / "watching.py").write_text(OWN_CALLBACK)
    # No file in the current folder may hide a module that the run needs.
    for name in ("study", "analysis", "trainables", "random", "torch"):
        (folder / f"{name}.py").write_text("raise RuntimeError('the wrong module')")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def contents(results):
    return {path: path.read_bytes() for path in results.glob("trials/*/*")}
