"""A results folder from a stranger runs no code, whatever its files contain."""

import io
import pickle
import warnings
import zipfile

import pytest
import torch

from analysis.load import load_history, load_results
from analysis.report import write_report
from trainables import registry
from trainables.results.store import open_store
from trainables.spec import Failure, Training, TrialSpec
from trainables.training.checkpoint import checkpoint_path, encode_checkpoint
from trainables.worker.attempt import TrialContext, attempt

TASK = registry.resolve("task", {"name": "nbody", "train": 10, "val": 5, "test": 5})
SPEC = TrialSpec(
    task=TASK,
    model=registry.resolve("model", {"name": "egnn", "hidden": 4, "layers": 1}),
    method={"name": "strict"},
    training=Training(epochs=2, batch_size=5),
    failure=Failure(),
    seed=0,
)


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def crater(tmp_path):
    return tmp_path / "crater"


@pytest.fixture
def bombs(crater):
    """Malicious content in each form in which torch or numpy would accept a pickle."""
    saved = io.BytesIO()
    torch.save({"progress": Bomb(crater)}, saved)
    plain = pickle.dumps(Bomb(crater))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", plain)
        file.writestr("archive/version", "3")
    return [plain, saved.getvalue(), archive.getvalue()]


def test_the_bombs_are_live(bombs, crater):
    pickle.loads(bombs[0]).close()
    assert crater.exists()


def test_reading_and_reporting_unpickle_nothing(tmp_path, bombs, crater):
    for number, bomb in enumerate(bombs):
        store = open_store(tmp_path / f"results-{number}")
        for name in ("study.yaml", "plan.json", "run.lock"):
            store.write(name, bomb)
        for name in ("record.json", "history.parquet", "checkpoint.pt", "attempts.json", "tuner.pkl"):
            store.write(f"trials/{SPEC.id}/{name}", bomb)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_results(store.uri)
            load_history(store.uri)
            write_report([store.uri], store.uri)
    assert not crater.exists()


def test_a_malicious_checkpoint_is_ignored_and_the_trial_starts_over(tmp_path, bombs, crater):
    around = TrialContext(open_store(tmp_path / "clean"), tmp_path / "data", torch.device("cpu"))
    honest = attempt(SPEC, around)
    for number, bomb in enumerate(bombs):
        store = open_store(tmp_path / f"results-{number}")
        store.write(checkpoint_path(SPEC.id), bomb)
        around = TrialContext(store, tmp_path / "data", torch.device("cpu"))
        record = attempt(SPEC, around)
        assert record.outcome in ("learned", "failed")
        assert record.val_metric == honest.val_metric
    assert not crater.exists()


def test_a_checkpoint_of_another_trial_or_shape_is_ignored(tmp_path):
    store = open_store(tmp_path / "results")
    honest = attempt(SPEC, TrialContext(store, tmp_path / "data", torch.device("cpu")))
    buffer = io.BytesIO()
    torch.save({"progress": {}}, buffer)
    foreign = encode_checkpoint("another", {"progress": {"step": 1}, "model": {}, "optimizers": []}, {})
    misshapen = encode_checkpoint(SPEC.id, {"progress": {"step": 1}, "model": {}, "optimizers": []}, {})
    flipped = bytearray(misshapen)
    flipped[len(flipped) // 2] ^= 1
    for number, content in enumerate((buffer.getvalue(), foreign, misshapen, bytes(flipped), b"")):
        other = open_store(tmp_path / f"other-{number}")
        other.write(checkpoint_path(SPEC.id), content)
        record = attempt(SPEC, TrialContext(other, tmp_path / "data", torch.device("cpu")))
        assert record.outcome != "crashed"
        assert record.val_metric == honest.val_metric
