"""A search, bounded in time, for damaged files that a reader neither reads nor properly refuses."""

import contextlib
import json
import warnings
from random import Random

import pytest
from mutation import explore
from test_fuzzed_data import FILES, read_or_refuse
from test_fuzzed_files import CONTENT, RECORD, signed

from analysis.load import load_results, read_histories
from study.config import load_config, resolve_config, to_yaml
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.pack import pack
from trainables.results.record import BadRecord, decode_record, record_path, write_outcome
from trainables.results.store import open_store

SECONDS = 15.0
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


@pytest.fixture
def folder(tmp_path):
    """A results folder with one finished trial."""
    store, config = open_store(tmp_path / "results"), resolve_config(CONTENT)
    store.write("study.yaml", to_yaml(config).encode())
    store.write("plan.json", json.dumps([{"id": RECORD.id, "arm": "strict", "spec": {}}]).encode())
    write_outcome(store, RECORD, [{"epoch": 0, "val_metric": 0.5}])
    return tmp_path / "results"


def read_config(folder):
    with contextlib.suppress(BadInput):
        plan(load_config(str(folder / "study.yaml")))


def read_results(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_results(folder)


def read_history(folder):
    read_histories(folder)


def read_signed_record(folder):
    """Read a record whose checksum is made to fit, so that the search gets past it."""
    path = folder / record_path(RECORD.id)
    try:
        content = json.loads(path.read_bytes())
        content.pop("checksum", None)
        path.write_bytes(signed(content))
    except (ValueError, AttributeError, RecursionError):
        pass
    try:
        decode_record(path.read_bytes(), RECORD.id)
    except BadRecord:
        return
    read_results(folder)


def read_packed(folder):
    with contextlib.suppress(ValueError):
        load_results(folder / "packed.parquet")


IN_A_FOLDER = {
    "study.yaml": (read_config, ("yaml/", "study/")),
    "plan.json": (read_results, ("analysis/load", "json/")),
    f"trials/{RECORD.id}/record.json": (read_signed_record, ("trainables/results/record", "analysis/load")),
    f"trials/{RECORD.id}/history.parquet": (read_history, ("analysis/load",)),
    "packed.parquet": (read_packed, ("analysis/",)),
}


@pytest.mark.parametrize("name", FILES)
def test_data_files(name, tmp_path, capsys):
    whole, read, sources = FILES[name]
    tried = explore(
        lambda content: read_or_refuse(tmp_path / name, content, read), whole, sources, SECONDS, Random(0)
    )
    report(capsys, name, tried)


@pytest.mark.parametrize("name", IN_A_FOLDER)
def test_files_of_a_results_folder(name, folder, capsys):
    read, sources = IN_A_FOLDER[name]
    pack(folder, folder / "packed.parquet")

    def read_changed(content):
        (folder / name).write_bytes(content)
        read(folder)

    report(capsys, name, explore(read_changed, (folder / name).read_bytes(), sources, SECONDS, Random(0)))


def report(capsys, name, tried):
    reads, lines = tried
    with capsys.disabled():
        print(f"\n{name}: {reads} damaged files, {lines} lines of its readers reached")
    assert reads > 2
