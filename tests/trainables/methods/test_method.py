"""The options that all methods have."""

import pytest

from trainables.errors import BadInput
from trainables.registry import resolve


@pytest.mark.parametrize("name", ["strict", "relaxed", "ace", "unconstrained"])
def test_inversion_needs_rotation(name):
    message = r"^method\.inversion: has no effect without rotate; set rotate to batch or graph \(got True\)$"
    with pytest.raises(BadInput, match=message):
        resolve("method", {"name": name, "rotate": "none", "inversion": True})
    for rotate in ("batch", "graph"):
        assert resolve("method", {"name": name, "rotate": rotate, "inversion": True})["inversion"]
    assert resolve("method", {"name": "unconstrained", "inversion": True})["inversion"]


@pytest.mark.parametrize("name", ["strict", "relaxed", "ace"])
def test_inversion_needs_rotation_that_is_off_by_default(name):
    with pytest.raises(BadInput, match=r"method\.inversion: has no effect without rotate"):
        resolve("method", {"name": name, "inversion": True})
