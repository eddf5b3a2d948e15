"""Signatures as users write them: the options are read, or one line names the parameter and the remedy."""

import sys
from types import ModuleType

import pytest

from trainables.errors import BadInput
from trainables.registry import build, resolve

HEADER = """
from __future__ import annotations
import enum, pathlib, typing
from typing import Annotated, Any, Literal, TYPE_CHECKING
import torch
from e3nn import o3
from pydantic import BaseModel, Field
if TYPE_CHECKING:
    from trainables.graph import Signature

class Block(BaseModel):
    width: int = 1
    depth: int = 2

class Net:
    def __init__(self, *given, **options):
        self.given, self.options = given, options
"""


@pytest.fixture
def mine(monkeypatch):
    """Make the module `mine` from code, for names such as `mine:Own`."""

    def make(code, future=True):
        module = ModuleType("mine")
        monkeypatch.setitem(sys.modules, "mine", module)
        header = HEADER if future else HEADER.replace("from __future__ import annotations", "")
        exec(header + code, vars(module))

    return make


@pytest.mark.parametrize("future", [True, False])
@pytest.mark.parametrize(
    ("signature", "given", "options"),
    [
        ("signature, width=8", {"width": 4}, {"width": 4}),
        ("signature, a: int = 8, *, b: Annotated[int, Field(ge=1)] = 2", {"a": 4}, {"a": 4, "b": 2}),
        ("signature, *layers, width: int = 8", {}, {"width": 8}),
        ("*given, width: int = 8", {"width": 3}, {"width": 3}),
        ("signature, /, width: int = 8, **rest", {"width": 3}, {"width": 3}),
        ("signature, *, kind: Literal['a', 'b'] = 'a'", {"kind": "b"}, {"kind": "b"}),
        ("signature, *, sizes: list[int] = [1, 2]", {"sizes": [3]}, {"sizes": [3]}),
        ("signature, *, block: Block = Block(depth=5)", {"block": {"width": 3}}, {"block": {"width": 3, "depth": 5}}),
        ("signature: 'Signature', width: 'int' = 8", {"width": 2}, {"width": 2}),
        ("signature", {}, {}),
    ],
)  # fmt: skip
def test_options_are_read(mine, signature, given, options, future):
    mine(f"class Own(Net):\n    def __init__(self, {signature}):\n        self.width = None", future)
    resolved = resolve("model", {"name": "mine:Own", **given})
    assert resolved == {"name": "mine:Own", **options}
    assert resolve("model", resolved) == resolved
    build("model", resolved, "the signature")


@pytest.mark.parametrize(
    ("signature", "given", "words"),
    [
        ("signature, *, hidden: o3.Irreps = o3.Irreps('8x1o')", {}, ["model.hidden", "Irreps", "annotate it"]),
        ("signature, *, act=torch.nn.functional.silu", {}, ["model.act", "silu", "annotate it"]),
        ("signature, *, act: typing.Callable = torch.nn.functional.silu", {}, ["model.act", "cannot be written"]),
        ("signature, *, dtype: torch.dtype = torch.float32", {}, ["model.dtype", "annotate it"]),
        ("signature, *, weights=torch.zeros(2)", {}, ["model.weights", "annotate it"]),
        ("signature, *, path=pathlib.Path('a')", {}, ["model.path", "annotate it"]),
        ("signature, *, width: 'Nothing' = 1", {}, ["model.width", "Nothing", "annotate it"]),
        ("signature, *, width: int = 'wide'", {}, ["model.width", "wide"]),
        ("signature, *, width: int", {}, ["model.width: missing"]),
        ("signature, *, name: str = 'a'", {}, ["model.name", "`name`"]),
        ("signature, *, model_config: int = 1", {}, ["model.model_config"]),
        ("signature, width, /", {}, ["model.width", "positional-only"]),
        ("", {}, ["model.name", "first parameter", "the task's signature"]),
        ("*, width: int = 1", {}, ["model.name", "first parameter", "the task's signature"]),
        ("signature, **options", {"width": 4}, ["model.width", "unknown key", "**keywords of 'mine:Own'"]),
    ],
)  # fmt: skip
def test_parameters_that_a_config_cannot_set_give_one_line(mine, signature, given, words):
    mine(f"class Own(Net):\n    def __init__(self, {signature}):\n        pass")
    with pytest.raises(BadInput) as caught:
        resolve("model", {"name": "mine:Own", **given})
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_name_that_is_not_a_factory_gives_one_line(mine):
    mine("number = 3")
    with pytest.raises(BadInput, match=r"model\.name: `3` is not a function or class"):
        resolve("model", {"name": "mine:number"})


@pytest.mark.parametrize(
    "code", ["1 / 0", "def f(:", "import sys; sys.exit(3)", "import not_there", "raise KeyError"]
)
def test_a_module_that_cannot_be_imported_gives_one_line(tmp_path, monkeypatch, code):
    (tmp_path / "broken_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_module", raising=False)
    with pytest.raises(BadInput, match=r"model\.name: 'broken_module:Net' cannot be imported: "):
        resolve("model", {"name": "broken_module:Net"})
