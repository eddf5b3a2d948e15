"""Descriptions of tasks, models and methods: options filled in, editions distinguished."""

import sys
from types import ModuleType
from typing import Annotated, Any

import pytest

from trainables.errors import BadInput
from trainables.registry import SCHEDULES, build, resolve
from trainables.relaxation.schedules import FALLS
from trainables.spec import later


def network(
    signature: Any, *, width: int = 8, depth: Annotated[int, later(ge=1)] = 2
) -> tuple[Any, int, int]:
    return signature, width, depth


@pytest.fixture(autouse=True)
def module(monkeypatch):
    module = ModuleType("mine")
    module.network = network
    monkeypatch.setitem(sys.modules, "mine", module)
    monkeypatch.setattr(network, "revision", 1, raising=False)
    return module


def test_a_later_option_is_described_only_if_it_is_set():
    assert resolve("model", {"name": "mine:network"}) == {"name": "mine:network", "width": 8}
    assert resolve("model", {"name": "mine:network", "depth": 3})["depth"] == 3
    assert build("model", resolve("model", {"name": "mine:network"}), "signature") == ("signature", 8, 2)


def test_a_new_edition_is_part_of_the_description(monkeypatch):
    monkeypatch.setattr(network, "revision", 2)
    resolved = resolve("model", {"name": "mine:network"})
    assert resolved["revision"] == 2
    assert resolve("model", resolved) == resolved
    assert build("model", resolved, "signature") == ("signature", 8, 2)


def test_another_edition_is_refused():
    with pytest.raises(BadInput, match=r"model\.revision: 'mine:network' is at revision 1 here, not at 3"):
        resolve("model", {"name": "mine:network", "revision": 3})


def test_an_option_called_revision_is_an_option(module):
    module.versioned = lambda signature, *, revision=1: revision
    resolved = resolve("model", {"name": "mine:versioned", "revision": 7})
    assert resolved["revision"] == 7
    assert build("model", resolved, None) == 7


def test_the_listed_schedules_are_all_existing_ones():
    assert list(SCHEDULES) == list(FALLS)
