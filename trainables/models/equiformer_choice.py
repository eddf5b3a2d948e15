"""Which Equiformer a study gets: the network of the paper, or a smaller and faster one with equal channels."""

from typing import Annotated, Any

from pydantic import Field, PlainValidator

from trainables.errors import BadInput
from trainables.graph import Signature
from trainables.models.equiformer import Equiformer
from trainables.models.published_equiformer import PublishedEquiformer
from trainables.spec import later

Count = Annotated[int, Field(ge=1)]


def _channels(value: Any) -> int | list[int]:
    counts = value if isinstance(value, list) else [value]
    if not counts or any(type(count) is not int or count < 1 for count in counts):
        raise ValueError("write a whole number from 1, or a list of them, one for each degree from 0")
    return value


def equiformer(
    signature: Signature,
    *,
    channels: Annotated[int | list[int], PlainValidator(_channels)] = 64,
    degree: Count = 2,
    layers: Count = 6,
    heads: Count = 4,
    logits: Count = 32,
    expansion: Count = 3,
    radial: Annotated[int, Field(ge=2)] = 32,
    radial_hidden: Count = 64,
    length: Annotated[float, Field(gt=0)] = 1.0,
    num_neighbors: Count = 20,
    features: Annotated[int, later(ge=0)] = 0,
    inversion: Annotated[bool, later()] = True,
) -> Equiformer | PublishedEquiformer:
    """The network of the paper where `channels` are given for each degree, else the one with equal numbers.

    Args:
        signature: What the task gives and asks for.
        channels: One number for all degrees, or a list of numbers, one for each degree from 0 to `degree`; divided
            among `heads`.
        logits: Scalars of each head from which its attention is made.
        expansion: How many times wider the feed-forward is inside.
        radial: Number of radial functions.
        radial_hidden: Width of the networks on them.
        length: Their length in units of the positions.
        num_neighbors: Number of nearest neighbors where the graph comes without edges.
        features: With a list of channels, scalars that the last block ends with and the head reads (512 in the
            paper), for invariant outputs; 0 for those of `channels`.
        inversion: With a list of channels, False for features without parity, as published: then inversions are no
            symmetry of the network, and where the task has them, its checks say so.

    Raises:
        BadInput: If the channels do not fit the heads or the degree, or an option needs a list of channels.
    """
    counts = channels if isinstance(channels, list) else [channels]
    for count in counts:
        if count % heads:
            raise BadInput(f"model.channels: {count} cannot be divided among {heads} heads")
    options: dict[str, Any] = {
        "layers": layers, "heads": heads, "logits": logits, "expansion": expansion, "radial": radial,
        "radial_hidden": radial_hidden, "length": length, "num_neighbors": num_neighbors,
    }  # fmt: skip
    if isinstance(channels, list):
        if len(channels) != degree + 1:
            raise BadInput(
                f"model.channels: {len(channels)} numbers, but degrees 0 to {degree} need {degree + 1}; "
                f"change the list or model.degree"
            )
        return PublishedEquiformer(
            signature, channels=channels, features=features, inversion=inversion, **options
        )
    for option, default in (("features", features == 0), ("inversion", inversion)):
        if not default:
            raise BadInput(f"model.{option}: needs a list of channels, such as model.channels: [128, 64, 32]")
    return Equiformer(signature, channels=channels, degree=degree, **options)
