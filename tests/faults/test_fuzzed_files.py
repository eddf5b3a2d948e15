"""Whatever a file contains, reading it gives a valid object or the documented error."""

import hashlib
import io
import json
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.load import load_history, load_results, load_test_errors, load_trials
from study.config import StudyConfig, load_config, resolve_config
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.pack import PackedStore
from trainables.results.record import BadRecord, Record, decode_record, encode_record, write_outcome
from trainables.results.store import open_store

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
RECORD = Record("0123456789abcdef", {"seed": 1}, "failed", "diverged", val_metric=0.5, epochs=2)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def signed(content):
    """A record file whose checksum is right whatever it contains, as a stranger could make it."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "checksum": hashlib.sha256(text.encode()).hexdigest()}).encode()


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_as_a_record(content):
    with pytest.raises(BadRecord):
        decode_record(content, RECORD.id)


@QUICK
@given(st.sampled_from(list(Record.__dataclass_fields__)), JSON)
def test_a_signed_record_with_any_value_in_any_field(name, value):
    content = json.loads(encode_record(RECORD))
    del content["checksum"]
    content[name] = value
    try:
        record = decode_record(signed(content), RECORD.id)
    except BadRecord:
        return
    assert isinstance(record.epochs, int)
    assert record.val_metric is None or isinstance(record.val_metric, float)


@QUICK
@given(st.binary(max_size=100))
def test_any_bytes_as_a_config(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("config") / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load_config(str(path))
    assert "\n" not in str(caught.value)


def keys_of(config):
    for key, value in config.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in keys_of(value))


CONTENT = yaml.safe_load("""
name: small
task: {name: nbody, train: 20}
model: {name: egnn, hidden: 8}
training: {epochs: 2, batch_size: 5, optimizer: adam}
arms: {strict: {method: strict}, triangle: {method: relaxed, schedule: triangle, penalty: {lie: 0.01}}}
grid: {lr: {log: [1.0e-4, 1.0e-1], points: 4}, seed: 3}
failure: {diverged: {factor: 10}}
resources: {cpus: 1}
""")


@QUICK
@given(st.sampled_from(list(keys_of(CONTENT))), JSON)
def test_a_config_with_any_value_anywhere(path, value):
    content = yaml.safe_load(yaml.safe_dump(CONTENT))
    block = content
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    try:
        config = resolve_config(content)
        trials = plan(config)
        message = ""
    except BadInput as error:
        config, trials, message = None, [], str(error)
    assert message or isinstance(config, StudyConfig)
    assert "\n" not in message
    assert len({trial.id for trial in trials}) == len(trials)


@QUICK
@given(
    st.sampled_from(["study.yaml", "plan.json", "record.json", "history.parquet", "test_errors.parquet"]),
    st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_any_bytes_in_a_results_folder(tmp_path_factory, name, content):
    folder = tmp_path_factory.mktemp("results")
    store = open_store(folder)
    store.write("study.yaml", b"name: fuzzed\n")
    store.write("plan.json", json.dumps([{"id": RECORD.id, "arm": "strict", "spec": {}}]).encode())
    write_outcome(store, RECORD, [{"epoch": 0, "val_metric": 0.5}], {"mse": [0.5, 0.25]})
    inside = name.endswith((".parquet", "record.json"))
    store.write(f"trials/{RECORD.id}/{name}" if inside else name, content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = load_results(folder)
        assert set(load_trials(folder)["trial"]) <= {RECORD.id}
        assert set(load_history(folder)["trial"]) <= {RECORD.id}
        assert set(load_test_errors(folder)["trial"]) <= {RECORD.id}
    spoiled = name in ("study.yaml", "record.json")
    assert results.complaints or not spoiled or content.startswith(b"name")


@pytest.mark.parametrize(
    ("file", "checksum", "load"),
    [
        ("history.parquet", "history_sha256", load_history),
        ("test_errors.parquet", "test_errors_sha256", load_test_errors),
    ],
)
@QUICK
@given(content=st.binary(max_size=300))
def test_a_signed_table_of_any_bytes(tmp_path_factory, file, checksum, load, content):
    folder = tmp_path_factory.mktemp("results")
    store = open_store(folder)
    store.write("plan.json", json.dumps([{"id": RECORD.id, "arm": "strict", "spec": {}}]).encode())
    store.write(f"trials/{RECORD.id}/{file}", content)
    record = json.loads(encode_record(RECORD))
    del record["checksum"]
    record[checksum] = hashlib.sha256(content).hexdigest()
    store.write(f"trials/{RECORD.id}/record.json", signed(record))
    with pytest.warns(UserWarning, match=file):
        assert load(folder).empty


@pytest.mark.parametrize("name", ["trial", "sample", "mse"])
@pytest.mark.parametrize("values", [["a", "b"], [[1.0], [2.0]], [True, None]])
def test_a_signed_table_of_test_errors_of_any_columns(tmp_path, name, values):
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: values}), buffer)
    store = open_store(tmp_path)
    store.write("plan.json", json.dumps([{"id": RECORD.id, "arm": "strict", "spec": {}}]).encode())
    store.write(f"trials/{RECORD.id}/test_errors.parquet", buffer.getvalue())
    record = json.loads(encode_record(RECORD))
    del record["checksum"]
    record["test_errors_sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    store.write(f"trials/{RECORD.id}/record.json", signed(record))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_test_errors(tmp_path)
    assert set(loaded["trial"]) == {RECORD.id}
    assert list(loaded["sample"]) == [0, 1]


@QUICK
@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda content: b"PAR1" + content + b"PAR1"))
def test_any_bytes_as_a_packed_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("packed") / "study.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a packed results folder"):
        PackedStore(path)
