"""How the features that enter and leave a layer transform under rotations and inversion.

A layer that may be relaxed carries `representation_in` and `representation_out`, each a Representation or a
tuple of them (one for each positional tensor input, or for each tensor output). Relaxation, penalties,
projection and the per-layer equivariance error read nothing else of the layer.
"""

from dataclasses import dataclass
from typing import Literal

from e3nn import o3


@dataclass(frozen=True)
class Representation:
    """The last axis or axes of a feature tensor, as a direct sum of irreps of O(3).

    Attributes:
        irreps: e3nn irreps; their parities are ignored if `group` is "SO3".
        layout: "channels_first" is e3nn's: each block is (multiplicity, 2l+1), flattened; "channels_last": each block
            is (2l+1, multiplicity), flattened.
        shape: The trailing axes of the tensor that together contain the irreps, e.g. (3, channels).
        group: "O3", or "SO3" if an earlier layer mixes polar and axial vectors.
    """

    irreps: o3.Irreps
    layout: Literal["channels_first", "channels_last"]
    shape: tuple[int, ...]
    group: Literal["O3", "SO3"] = "O3"

    @property
    def dim(self) -> int:
        return self.irreps.dim


def scalars(channels: int) -> Representation:
    """(..., channels) invariants."""
    return Representation(o3.Irreps(f"{channels}x0e"), "channels_last", (channels,))


def vectors(channels: int, group: Literal["O3", "SO3"] = "O3") -> Representation:
    """(..., 3, channels) vectors, channels last."""
    return Representation(o3.Irreps(f"{channels}x1o"), "channels_last", (3, channels), group)


def irreps(description: str | o3.Irreps) -> Representation:
    """(..., dim) features in e3nn's own layout."""
    parsed = o3.Irreps(description)
    return Representation(parsed, "channels_first", (parsed.dim,))
