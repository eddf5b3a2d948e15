"""If files of a results folder are cut short, emptied, changed or swapped, only their own content is lost."""

import shutil

import pytest
import torch
from real_run import CONTENT, assert_same_tables, undisturbed

from study.config import resolve_config
from study.folder import check_folder, write_folder
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.record import history_path, record_path
from trainables.results.store import LocalStore, open_store
from trainables.training.checkpoint import checkpoint_path
from trainables.worker.attempt import TrialContext, attempt

OTHER = {**CONTENT, "name": "other", "training": {"epochs": 2, "batch_size": 5}}


def flipped(content):
    """The content with the lowest bit of its middle byte flipped."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "cut short": lambda content, other: content[: len(content) // 2],
    "emptied": lambda content, other: b"",
    "changed": lambda content, other: flipped(content),
    "swapped": lambda content, other: other,
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


class Hoarder(LocalStore):
    """Keeps the files that a trial would delete."""

    def delete(self, path):
        pass


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The last checkpoint of each trial that does not fail at once, by the id of the trial."""
    store = Hoarder(tmp_path_factory.mktemp("checkpoints"))
    around = TrialContext(store, store.root / "data", torch.device("cpu"))
    trials = [trial for trial in plan(resolve_config(CONTENT)) if trial.spec.training.lr < 1]
    for trial in trials:
        attempt(trial.spec, around)
    return {trial.id: store.read(checkpoint_path(trial.id)) for trial in trials}


def test_a_run_repairs_whatever_was_damaged(reference, checkpoints, real_run, tmp_path):
    store, run = open_store(tmp_path / "results"), real_run()
    shutil.copytree(reference, run.results)
    trials = [path.name for path in reference.glob("trials/*")]
    unfinished = list(checkpoints)  # their records are damaged; of all other trials, the histories
    finished = [trial for trial in trials if trial not in checkpoints]
    for number, damage in enumerate(DAMAGES.values()):
        record, history, other = unfinished[number], finished[number], unfinished[number - 1]
        store.write(
            record_path(record), damage(store.read(record_path(record)), store.read(record_path(history)))
        )
        store.write(
            history_path(history), damage(store.read(history_path(history)), store.read(history_path(record)))
        )
        store.write(checkpoint_path(record), damage(checkpoints[record], checkpoints[other]))
    for name in ("study.yaml", "plan.json"):
        store.write(name, DAMAGES["cut short"](store.read(name), b""))
    run.start()
    assert run.finish() == 0, run.output()
    assert_same_tables(run.results, reference)
    for trial in trials:
        assert trial in run.output()
    for name in ("study.yaml", "plan.json"):
        assert f"{name} in {run.results} was missing or damaged; it will be rewritten" in run.output()
        assert store.read(name) == (reference / name).read_bytes()


@pytest.mark.parametrize("kind", ["cut short", "emptied", "changed"])
@pytest.mark.parametrize("names", [("study.yaml",), ("plan.json",), ("study.yaml", "plan.json")])
def test_a_damaged_folder_with_the_trials_of_the_config_is_accepted(names, kind, reference, tmp_path):
    store, config = copied(reference, tmp_path), resolve_config(CONTENT)
    for name in names:
        content = store.read(name)
        store.write(name, DAMAGES[kind](content, b"") if content else content)
    said = check_folder(store, config, plan(config))
    assert len(said) <= len(names)
    write_folder(store, config, plan(config))
    for name in names:
        assert store.read(name) == (reference / name).read_bytes()


def test_an_id_that_does_not_fit_its_spec_is_damage_to_the_plan(reference, tmp_path):
    store, config = copied(reference, tmp_path), resolve_config(CONTENT)
    first, second = (trial.id.encode() for trial in plan(config)[:2])
    store.write("plan.json", store.read("plan.json").replace(first, second))
    (line,) = check_folder(store, config, plan(config))
    assert line == f"plan.json in {store.uri} was missing or damaged"


@pytest.mark.parametrize("names", [("study.yaml",), ("plan.json",), ("study.yaml", "plan.json")])
@pytest.mark.parametrize("kind", [*DAMAGES, "removed"])
def test_another_study_cannot_use_a_damaged_folder(names, kind, reference, tmp_path):
    store, config = copied(reference, tmp_path), resolve_config({**OTHER, "name": CONTENT["name"]})
    write_folder(foreign := open_store(tmp_path / "other"), resolve_config(OTHER), plan(config))
    for name in names:
        if kind == "removed":
            store.delete(name)
        else:
            store.write(name, DAMAGES[kind](store.read(name), foreign.read(name)))
    with pytest.raises(BadInput, match="choose another folder"):
        check_folder(store, config, plan(config))


@pytest.mark.parametrize("name", ["study.yaml", "plan.json"])
def test_the_file_of_another_study_is_named(name, reference, tmp_path):
    store, config, other = copied(reference, tmp_path), resolve_config(CONTENT), resolve_config(OTHER)
    write_folder(foreign := open_store(tmp_path / "other"), other, plan(other))
    store.write(name, foreign.read(name))
    complaint = {
        "study.yaml": "contains the study 'other'",
        "plan.json": r"plan\.json belongs to another study",
    }[name]
    with pytest.raises(BadInput, match=complaint):
        check_folder(store, config, plan(config))


def copied(reference, tmp_path):
    shutil.copytree(reference, tmp_path / "results")
    return open_store(tmp_path / "results")
