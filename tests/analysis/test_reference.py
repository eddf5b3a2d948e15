"""The reference study is reproducible: some of its trials, trained again from their specs."""

import math
import shutil
from pathlib import Path

import pytest
import torch

from analysis import REFERENCE
from analysis.load import load_trials
from trainables import registry
from trainables.results.pack import open_source
from trainables.results.record import read_records
from trainables.spec import TrialSpec
from trainables.training.loop import run_trial

# The same kind of processor gives the same bits. Another one, or later code, may round differently, which training
# amplifies, more so the longer it is.
SHORT, LONG = 0.01, 0.1
TRIALS = [
    # Of the first edition only EGNN's trials: SEGNN and the vector neurons have a new revision, since they computed a
    # different function then.
    ("reference-egnn", "arm == 'strict' and lr == 1e-3", SHORT),
    ("reference-egnn", "arm == 'triangle' and lr == 1e-3", SHORT),
    ("reference-egnn", "arm == 'ace' and lr == 1e-3", SHORT),
    ("published-egnn", "arm == 'strict' and lr == 1e-2", LONG),
    *(
        (
            "toy-blockwise",
            f"lr == 0.03 and `model.channels` == 16 and `training.optimizer` == '{name}'",
            SHORT,
        )
        for name in ("adam", "adam_block", "muon")
    ),
]
AT_PUBLISHED_LENGTH = [
    (part, f"arm == '{arm}' and {where}", LONG)
    for part, where, arms in [
        ("published-egnn", "lr == 1e-3", ("strict", "triangle")),
        ("published-segnn", "lr == 1e-3", ("strict", "triangle", "clip")),
        ("published-schedules", "lr == 1e-3", ("fixed-poses", "linear", "root-sum")),
        ("published-long", "lr == 5e-4", ("strict", "triangle", "ace")),
        ("published-mocap", "lr == 5e-3 and not `task.height`", ("strict", "unconstrained", "clip")),
    ]
    for arm in arms
]
"""Each takes minutes, those of published-long up to an hour. Trials of mocap-egnn, hours each, are not included."""

MOTION_CAPTURE = Path(__file__).parents[3] / "shared" / "data" / "mocap"


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize(
    ("part", "which", "tolerance"),
    [*TRIALS, *(pytest.param(*trial, marks=pytest.mark.published) for trial in AT_PUBLISHED_LENGTH)],
)
def test_a_trial_trained_again_has_the_recorded_result(part, which, tolerance, tmp_path):
    packed = REFERENCE / f"{part}.parquet"
    (trial,) = load_trials(packed).query(f"seed == 0 and {which}")["trial"]
    records, _ = read_records(open_source(packed), [trial])
    spec, recorded = TrialSpec.model_validate(records[trial].spec), records[trial]
    if spec.task["name"] == "mocap":
        if not MOTION_CAPTURE.exists():
            pytest.skip("the public files are not on this machine")
        shutil.copytree(MOTION_CAPTURE, tmp_path / "mocap")
    task = registry.build("task", spec.task, tmp_path)
    torch.set_num_threads(1)
    record, _ = run_trial(spec, task, torch.device("cpu"))
    assert (record.outcome, record.reason) == (recorded.outcome, recorded.reason)
    if recorded.test_metric is not None:
        assert math.isclose(record.test_metric, recorded.test_metric, rel_tol=tolerance)
