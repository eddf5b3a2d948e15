"""Published weights in our networks: a public implementation's state dict becomes a ready-to-use network."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.errors import BadInput, nearest
from trainables.graph import Signature
from trainables.models.egnn import EGNN
from trainables.models.public_parameters import Place, places_of
from trainables.models.segnn import SEGNN
from trainables.models.vn_dgcnn import VNDGCNN
from trainables.models.vn_pointnet import VNPointNet

NBODY = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")
CLOUDS = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=40)
NETWORKS = {
    "egnn": (EGNN, NBODY),
    "segnn": (SEGNN, NBODY),
    "vn_pointnet": (VNPointNet, CLOUDS),
    "vn_dgcnn": (VNDGCNN, CLOUDS),
}
# The size of a network is read from names that match: parameters with `hidden` entries, and layer numbers.
HIDDEN = {
    "egnn": r"embedding\.bias|gcl_\d+\..*\.0\.bias",
    "segnn": r".*\.update_layer_2\.biases|embedding.*\.biases",
}
LAYER = {"egnn": r"gcl_(\d+)\.", "segnn": r"layers\.(\d+)\."}
# Entries of e3nn's state dicts besides the weights: constants, and the weights of gates, which are empty.
E3NN_CONSTANTS = re.compile(r"(^|\.)(output_mask|gate\.mul\.weight|_w3j_\w+)$")

State = Mapping[str, Tensor | np.ndarray]


def load(name: str, state: State) -> nn.Module:
    """The strict network of a public implementation with its weights, in evaluation mode.

    The n-body networks get the width and the number of layers implied by the parameters; those for point
    clouds have the published size and 40 classes. They take our graphs; "egnn" and "segnn" return the
    displacement of each node, the others logits.

    Args:
        name: "egnn", "segnn", "vn_pointnet" or "vn_dgcnn".
        state: The parameters under their public names, tensors or arrays. Statistics of batch-norms may be
            omitted, but only all together; they are then 0 and 1.

    Returns:
        The network, in the precision of the weights.

    Raises:
        BadInput: If the network is unknown, or a parameter is unknown, missing or of the wrong shape.
    """
    if name not in NETWORKS:
        raise BadInput(f"name: no public weights can be read for '{name}'; {nearest(name, list(NETWORKS))}")
    tensors = {
        key: _tensor(name, key, value) for key, value in state.items() if not E3NN_CONSTANTS.search(key)
    }
    factory, signature = NETWORKS[name]
    network = factory(signature, **_size(name, tensors)).to(_precision(tensors))
    places = places_of(network)
    _check(name, tensors, places)
    for key, tensor in tensors.items():
        places[key].fill(tensor)
    return network.eval()


def _tensor(name: str, key: str, value: Any) -> Tensor:
    try:
        return value.detach() if isinstance(value, Tensor) else torch.tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise BadInput(
            f"{name}: parameter '{key}' is neither a tensor nor an array, but of type {kind}"
        ) from error


def _precision(tensors: dict[str, Tensor]) -> torch.dtype:
    """float64 if a parameter has it, else float32."""
    double = any(tensor.dtype == torch.float64 for tensor in tensors.values())
    return torch.float64 if double else torch.float32


def _size(name: str, tensors: dict[str, Tensor]) -> dict[str, int]:
    """Width and number of layers of most parameters, so that a single wrong one is reported as such."""
    if name not in HIDDEN:
        return {}
    widths = Counter(
        len(tensor) for key, tensor in tensors.items() if tensor.ndim == 1 and re.fullmatch(HIDDEN[name], key)
    )
    layers = Counter(match[1] for key in tensors if (match := re.match(LAYER[name], key)))
    size = {}
    if widths and (width := widths.most_common(1)[0][0]) > 0:
        size["hidden"] = width
    if layers and (count := sum(names > 1 for names in layers.values())):
        size["layers"] = count
    return size


def _check(name: str, tensors: dict[str, Tensor], places: dict[str, Place]) -> None:
    """Raise BadInput for the first parameter that is unknown, missing or of the wrong shape."""
    for key in tensors:
        if key not in places:
            raise BadInput(f"{name}: unknown parameter '{key}'; {nearest(key, list(places))}")
    with_statistics = any(places[key].optional for key in tensors)
    for key, place in places.items():
        counter = key.endswith("num_batches_tracked")
        if key not in tensors and not counter and (with_statistics or not place.optional):
            raise BadInput(f"{name}: parameter '{key}' is missing; its shape is {place.shape}")
    for key, tensor in tensors.items():
        if tuple(tensor.shape) != places[key].shape:
            found, expected = tuple(tensor.shape), places[key].shape
            raise BadInput(f"{name}: parameter '{key}' has the shape {found}; it must be {expected}")
