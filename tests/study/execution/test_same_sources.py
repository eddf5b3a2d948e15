import sys

import pytest

from study.config import resolve_config
from study.execution.same_sources import check_sources
from study.plan import plan
from trainables.errors import BadInput
from trainables.results.store import open_store
from trainables.worker.sources import sources

CONTENT = {
    "name": "small",
    "task": {"name": "nbody", "train": 20, "val": 10, "test": 10},
    "arms": {"strict": {"method": "strict"}},
    "grid": {"lr": [1e-3], "seed": 3},
}


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "users_network_of_a_folder.py"
    path.write_text("from trainables.models.egnn import EGNN as Net\n")
    return path


def test_a_folder_refuses_new_trials_of_an_edited_network(tmp_path, network):
    content = {**CONTENT, "model": {"name": "users_network_of_a_folder:Net", "hidden": 8, "layers": 2}}
    trials, store = plan(resolve_config(content)), open_store(str(tmp_path / "results"))
    first, *others = trials
    made_from = sources(first.spec, tmp_path, "code")
    check_sources(store.uri, others, [made_from], str(tmp_path))
    network.write_text("from trainables.models.egnn import EGNN as Net  # edited\n")
    del sys.modules["users_network_of_a_folder"]  # a run imports it anew
    with pytest.raises(BadInput, match=r"another version of module users_network_of_a_folder; .* --results"):
        check_sources(store.uri, others, [made_from], str(tmp_path))
    check_sources(store.uri, [], [made_from], str(tmp_path))  # nothing is added
