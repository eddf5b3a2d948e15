"""Folders and packed files, intact and damaged."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import analysis
from trainables.results.pack import SCHEMA, open_source, pack, unpack
from trainables.results.record import history_path, record_path
from trainables.results.store import open_store

PROMISED = [
    "trial",
    "study",
    "task",
    "model",
    "arm",
    "method",
    "schedule",
    "lr",
    "seed",
    "outcome",
    "reason",
    "val_metric",
    "test_metric",
    "loss_at_init",
    "equivariance_error",
    "epochs",
    "steps",
    "seconds",
    "params_train",
    "params_final",
    "metric",
    "metric_goal",
]
SMALL = {"arms": {"strict": {"name": "strict"}, "ace": {"name": "ace"}}, "rates": [1e-3, 1e-1], "seeds": 2}


def test_columns_and_outcomes(study):
    trials = analysis.load_trials(study(**SMALL, crashed=1))
    assert set(PROMISED) <= set(trials)
    assert len(trials) == 8
    assert set(trials["outcome"]) <= {"learned", "failed", "crashed"}
    assert trials["tests.test_far"].notna().any()
    strict, ace = (
        trials[trials["arm"] == arm].set_index(["lr", "seed"])["pair"] for arm in ("strict", "ace")
    )
    pd.testing.assert_series_equal(strict, ace)
    assert trials["spec"].nunique() == 8


def test_missing_trials_are_reported(study):
    results = analysis.load_results(study(**SMALL, missing=3))
    assert len(results.trials) == 5
    assert list(results.missing["outcome"]) == ["missing"] * 3


def test_empty_table_has_the_columns(tmp_path):
    with pytest.warns(UserWarning, match="missing"):
        trials = analysis.load_trials(tmp_path)
    assert set(PROMISED) <= set(trials)
    assert trials.empty


def test_history(study):
    folder = study(**SMALL)
    trials = analysis.load_trials(folder)
    history = analysis.load_history(folder)
    assert set(history["trial"]) == set(trials["trial"])
    assert {"epoch", "step", "theta", "train_loss", "val_metric", "grad_norm", "lr"} <= set(history)
    one = trials["trial"].iloc[0]
    assert set(analysis.load_history(folder, [one])["trial"]) == {one}


def test_damaged_files_are_reported_and_left_out(study):
    folder = study(**SMALL)
    first, second, third = analysis.load_trials(folder)["trial"].iloc[:3]
    (folder / record_path(first)).write_text('{"id": "other"}')
    (folder / history_path(second)).write_bytes((folder / history_path(first)).read_bytes())
    (folder / history_path(third)).unlink()
    with pytest.warns(UserWarning, match=f"{first}.*checksum"):
        assert len(analysis.load_trials(folder)) == 7
    with pytest.warns(UserWarning, match="checksum|missing") as warned:
        assert len(set(analysis.load_history(folder)["trial"])) == 5
    assert len(warned) == 3


@pytest.mark.parametrize("plan", ["[", "{}", "7", '[{"id": "../../elsewhere"}, 3, {"id": 5}]'])
def test_broken_plan(study, plan):
    folder = study(**SMALL)
    (folder / "plan.json").write_text(plan)
    assert any("plan.json" in line for line in analysis.load_results(folder).complaints)


def test_a_newer_plan_and_record_are_read(study):
    folder = study(**SMALL)
    plan = json.loads((folder / "plan.json").read_text())
    for entry in plan:
        entry["spec"]["new"] = {"thing": [1, 2]}
    (folder / "plan.json").write_text(json.dumps(plan))
    assert len(analysis.load_trials(folder)) == 8


def test_a_packed_folder_equals_the_folder(study, tmp_path):
    folder = study(**SMALL)
    tested = analysis.load_trials(folder)["test_metric"].notna().sum()
    assert pack(folder, tmp_path / "packed.parquet") == 2 + 2 * 8 + tested
    packed = tmp_path / "packed.parquet"
    pd.testing.assert_frame_equal(analysis.load_trials(packed), analysis.load_trials(folder))
    pd.testing.assert_frame_equal(analysis.load_history(packed), analysis.load_history(folder))
    pd.testing.assert_frame_equal(analysis.load_test_errors(packed), analysis.load_test_errors(folder))
    with pytest.raises(OSError, match="read-only"):
        open_source(packed).write("x", b"")


def test_a_folder_is_packed_to_a_uri(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, packed = study(**SMALL), tmp_path / "packed.parquet"
    pack(folder, f"file://{packed}")
    pd.testing.assert_frame_equal(analysis.load_trials(packed), analysis.load_trials(folder))
    assert not (tmp_path / "file:").exists()


def test_an_unpacked_folder_has_every_byte_of_the_original(study, tmp_path):
    folder = study(**SMALL)
    packed, again = tmp_path / "packed.parquet", tmp_path / "again"
    pack(folder, packed)
    assert unpack(packed, open_store(again)) == pack(again, tmp_path / "again.parquet")
    assert contents(again) == contents(folder)
    with pytest.raises(FileExistsError, match="already contains a study"):
        unpack(packed, open_store(again))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "path", ["../escaped", "trials/../../escaped", "trials/..", "/escaped", "trials/a/escaped"]
)
def test_unpacking_writes_no_other_paths(path, tmp_path):
    rows = {"path": ["study.yaml", path, f"{path}/record.json"], "content": [b"name: a", b"x", b"x"]}
    pq.write_table(pa.table(rows, schema=SCHEMA), tmp_path / "packed.parquet")
    assert unpack(tmp_path / "packed.parquet", open_store(tmp_path / "in/folder")) == 1
    assert not list(tmp_path.rglob("escaped"))
    assert [file.name for file in (tmp_path / "in/folder").rglob("*")] == ["study.yaml"]


def test_the_test_errors_of_a_trial_have_its_metric_as_their_mean(study):
    folder = study(**SMALL)
    trials = analysis.load_trials(folder).set_index("trial")
    errors = analysis.load_test_errors(folder)
    assert list(errors) == ["trial", "sample", "position_mse"]
    means = errors.groupby("trial", observed=True)["position_mse"].mean()
    assert set(means.index) == set(trials.index[trials["test_metric"].notna()])
    np.testing.assert_allclose(means, trials.loc[means.index, "test_metric"], rtol=1e-6)


def test_damaged_test_errors_affect_nothing_else(study):
    folder = study(**SMALL)
    damaged, lost, *_ = sorted(folder.glob("trials/*/test_errors.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    lost.unlink()
    assert len(analysis.load_trials(folder)) == 8
    with pytest.warns(UserWarning, match="test_errors") as said:
        errors = analysis.load_test_errors(folder)
    assert not {damaged.parent.name, lost.parent.name} & set(errors["trial"])
    assert {str(line.message).split(": ")[1] for line in said} == {
        "its checksum does not match its record",
        "missing",
    }


def test_a_folder_from_before_test_errors_were_kept_has_none_and_gives_no_warning(recwarn):
    packed = analysis.REFERENCE / "reference-forces.parquet"
    assert analysis.load_test_errors(packed).empty
    assert not recwarn.list


def test_other_files_are_refused_in_one_line(tmp_path):
    other = tmp_path / "other.parquet"
    other.write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="not a packed results folder") as error:
        analysis.load_trials(other)
    assert "\n" not in str(error.value)
    pd.DataFrame({"a": [1]}).to_parquet(other)
    with pytest.raises(ValueError, match="not a packed results folder"):
        analysis.load_trials(other)
    with pytest.raises(FileNotFoundError):
        analysis.load_trials(tmp_path / "nowhere")
