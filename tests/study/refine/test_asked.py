"""Studies that cannot be refined or compared are refused in one line before anything runs."""

import pytest
import yaml
from tests_support import CONTENT, study

REFINE = {"edge": 0.1, "budget": 99}
GRID = CONTENT["grid"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"refine": {**REFINE, "budget": 23}}, "refine.budget: 23 is below the 24 trials of the grid"),
        ({"refine": {**REFINE, "budget": 0}}, "refine.budget: "),
        ({"refine": {"edge": 0.1}}, "refine.budget: missing"),
        ({"refine": {**REFINE, "edge": -0.1}}, "refine.edge: "),
        ({"refine": {**REFINE, "edge": 0}}, "refine.edge: "),
        ({"refine": {**REFINE, "score": -0.02}}, "refine.score: "),
        ({"refine": {**REFINE, "edge": ".nan"}}, "refine.edge: "),
        ({"refine": {"budget": 99}}, "give `edge`, `score` or both"),
        ({"refine": REFINE, "grid": {**GRID, "lr": [1e-3]}}, "at least two learning rates"),
        ({"refine": REFINE, "grid": {**GRID, "seed": [0]}}, "at least two seeds"),
        ({"refine": REFINE, "grid": {**GRID, "seed.init": 2}}, "remove seed.init from the grid"),
        ({"control": "strickt"}, "control: there is no arm 'strickt'; did you mean 'strict'?"),
        ({"grid": {**GRID, "arms.strict.strict_phase": [0, 0.1]}}, "strict_phase"),
        ({"grid": {**GRID, "arms.triangel.strict_phase": [0, 0.1]}}, "no such arm; did you mean 'triangle'?"),
        ({"grid": {**GRID, "arms.*.strict_fase": [0, 0.1]}}, "did you mean 'strict_phase'?"),
        (
            {"refine": {**REFINE, "score": 0.02}, "arms": {"triangle": CONTENT["arms"]["triangle"]}},
            "no control",
        ),
    ],
)
def test_it_is_refused_in_one_line_that_names_the_key(tmp_path, changes, words):
    path = tmp_path / "asked.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    finished = study("plan", path, "--json")
    assert finished.returncode == 2, finished
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert finished.stdout == ""
