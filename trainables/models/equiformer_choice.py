"""Choice of the Equiformer: the network of the paper, or a smaller and faster one with equal channels."""

from typing import Annotated, Any

from pydantic import Field, PlainValidator

from trainables.errors import BadInput
from trainables.graph import Signature
from trainables.models.equiformer import Equiformer
from trainables.models.layers.inputs import check_num_neighbors
from trainables.models.published_equiformer import PublishedEquiformer
from trainables.spec import later

Count = Annotated[int, Field(ge=1)]


def _channels(value: Any) -> int | list[int]:
    counts = value if isinstance(value, list) else [value]
    if not counts or any(type(count) is not int or count < 1 for count in counts):
        raise ValueError("write a whole number of at least 1, or a list of them, one for each degree from 0")
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
    """The network of the paper if `channels` is a list, else the one with equal numbers for all degrees.

    Args:
        signature: The inputs that the task provides and the output it requires.
        channels: One number for all degrees, or a list of numbers, one for each degree from 0 to `degree`; divided
            among `heads`.
        logits: Number of scalars per head from which its attention is computed.
        expansion: Width of the feed-forward's hidden features relative to its input.
        radial: Number of radial functions.
        radial_hidden: Width of the networks applied to the radial functions.
        length: Length scale of the radial functions, in units of the positions.
        num_neighbors: Number of nearest neighbors if the graph has no edges.
        features: With a list of channels, number of scalars that the last block outputs and the head reads
            (512 in the paper), for invariant outputs only; 0 keeps those of `channels`.
        inversion: With a list of channels, False gives features without parity, as published: inversions are
            then not a symmetry of the network, and if the task has them, its checks report it.

    Raises:
        BadInput: If the channels do not fit the heads or the degree, or an option has no effect.
    """
    check_num_neighbors(signature, num_neighbors, default=20)
    if features and signature.output == "vectors":
        raise BadInput("model.features: is for invariant outputs, but the task asks for vectors; remove it")
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
