"""A curve in TensorBoard while its trial still trains."""

import pytest
from real_run import CONTENT, RUN_SECONDS, wait_until

pytestmark = pytest.mark.slow


def test_a_loss_curve_is_visible_while_its_trial_trains(real_run, tmp_path):
    arms = {"strict": {"method": "strict"}}
    content = {**CONTENT, "arms": arms, "grid": {"lr": [1e-3], "seed": 1}}
    content["training"] = {**content["training"], "epochs": 1000}
    run = real_run(content)
    run.start("--no-check", "--tensorboard", str(tmp_path / "board"))

    def losses():
        files = (tmp_path / "board" / "strict" / "strict-lr1e-3-s0").glob("events*")
        return sum(file.read_bytes().count(b"train_loss") for file in files)

    wait_until(lambda: losses() >= 2 or run.process.poll() is not None, RUN_SECONDS, "no curve")
    assert run.process.poll() is None, run.output()
    assert run.records() == {}
    run.process.terminate()
    run.finish()
