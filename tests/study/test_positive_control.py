"""The instrument detects a known benefit: gradient clipping near the edge of divergence."""

import pytest
import torch

from analysis.prepare import controls, prepare
from analysis.statistics.paired import paired_failures
from analysis.trial_table import trial_table
from study.config import load_config
from study.plan import plan
from trainables import registry
from trainables.training.loop import run_trial


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_clipping_is_found_to_help(tmp_path):
    """At most 60 quick trials show it with p < 0.01 after Holm's correction."""
    torch.set_num_threads(1)
    config = load_config("positive-control")
    trials = plan(config)
    assert len(trials) <= 60
    task = registry.build("task", config.task, tmp_path)
    records = {trial.id: run_trial(trial.spec, task, torch.device("cpu"))[0] for trial in trials}
    table = prepare(trial_table([trial.entry() for trial in trials], config.name, records, config.control))
    (control,) = controls(table).values()
    (found,) = paired_failures(table, control).itertuples()
    print(found)
    assert (control, found.arm, found.pairs) == ("strict", "clip", 24)
    assert found.difference < 0
    assert found.p_holm < 0.01
