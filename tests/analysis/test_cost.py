"""Cost in processor seconds, and the share of a run that trains."""

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.cost import cost, training_share


def test_training_share_is_of_each_workers_own_time():
    busy = {"worker": "a:1", "started": [100.0, 110.0], "seconds": [8.0, 10.0]}  # 18 of 20 seconds
    late = {"worker": "b:2", "started": [500.0], "seconds": [5.0]}  # 5 of 5
    trials = pd.concat([pd.DataFrame(busy), pd.DataFrame(late)], ignore_index=True)
    assert training_share(trials) == pytest.approx(23 / 25)
    unknown = pd.DataFrame({"worker": [None], "started": [np.nan], "seconds": [30.0]})
    assert training_share(pd.concat([trials, unknown])) == pytest.approx(23 / 25)
    assert training_share(unknown) is None


def test_cost_is_in_processor_seconds_if_every_trial_of_the_case_has_them():
    both = {"failed": False, "epochs": 10, "params_train": 1.0, "params_final": 1.0}
    rows = [
        {"case": case, "arm": arm, "seconds": 100.0, "cpu_seconds": cpu, **both}
        for case, arm, cpu in (
            *(("new", "strict", 20.0), ("new", "ace", 30.0)),
            *(("mixed", "strict", 20.0), ("mixed", "ace", np.nan)),
        )
    ]
    found = cost(pd.DataFrame(rows)).set_index(["case", "arm"])
    assert list(found["unit"]) == ["CPU", "CPU", "wall", "wall"]
    assert list(found["seconds_per_epoch"]) == [2.0, 3.0, 10.0, 10.0]
