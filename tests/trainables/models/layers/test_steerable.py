"""The fast products against e3nn's FullyConnectedTensorProduct with the same weights."""

import pytest
import torch
from e3nn import o3
from torch import Tensor

from trainables.graph import complete_topology
from trainables.models.layers.steerable import EdgeProduct, Harmonics, Product, Steerable, gate, harmonics

NODES, SENDERS = 6, 2
TOPOLOGY = complete_topology(NODES // 3, 3, torch.device("cpu"))


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def random_features(*leading: int, scalars: int, vectors: int) -> Steerable:
    return Steerable(
        torch.randn(*leading, scalars, requires_grad=True),
        torch.randn(*leading, 3, vectors, requires_grad=True),
    )


def e3nn_order(x: Steerable) -> Tensor:
    """(..., C0), (..., 3, C1) -> (..., C0 + 3 C1) with the components of a vector last."""
    return torch.cat([x.scalars, x.vectors.transpose(-1, -2).flatten(-2)], dim=-1)


def reference(product: Product, x: Steerable, attribute: Harmonics) -> Tensor:
    """e3nn's product of the same features, harmonics and weights, (..., O0 + 3 O1)."""
    inputs = (x.scalars.shape[-1], x.vectors.shape[-1])
    outputs = product.outputs
    degree_0 = torch.full_like(attribute.vector[..., :1], attribute.constant)
    tensor_product = o3.FullyConnectedTensorProduct(
        f"{inputs[0]}x0e+{inputs[1]}x1o",
        "1x0e+1x1o",
        f"{outputs[0]}x0e+{outputs[1]}x1o",
        irrep_normalization="component",
        path_normalization="none",
        internal_weights=False,
        shared_weights=True,
    )
    order = ["scalar_to_scalar", "scalar_to_vector", "vector_to_vector", "vector_to_scalar"]
    weights = [getattr(product, name).T.flatten() for name in order if hasattr(product, name)]
    features, harmonics_of = e3nn_order(x), torch.cat([degree_0, attribute.vector], dim=-1)
    result = tensor_product(features.flatten(0, -2), harmonics_of.flatten(0, -2), torch.cat(weights))
    if outputs[0]:
        result = torch.cat([result[:, : outputs[0]] + product.bias, result[:, outputs[0] :]], dim=-1)
    return result.unflatten(0, features.shape[:-1])


def assert_equal_with_gradients(found: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    probe = torch.randn_like(expected)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    ours, theirs = (torch.autograd.grad((probe * y).sum(), inputs) for y in (found, expected))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("outputs", [(4, 3), (4, 0), (0, 3)])
def test_product_matches_e3nns(outputs):
    product = Product((5, 2), outputs)
    x = random_features(NODES, scalars=5, vectors=2)
    direction = torch.randn(NODES, 3, requires_grad=True)
    attribute = Harmonics(0.7, direction)
    found = e3nn_order(product(x, attribute))
    inputs = [*x, direction, *product.parameters()]
    assert_equal_with_gradients(found, reference(product, x, attribute), inputs)


def test_product_on_edges_matches_e3nns_on_gathered_features():
    product = EdgeProduct((5, 2), 3, (4, 3))
    x = random_features(NODES, scalars=5, vectors=2)
    edge_scalars = torch.randn(NODES, SENDERS, 3, requires_grad=True)
    direction = torch.randn(NODES, SENDERS, 3, requires_grad=True)
    attribute = Harmonics(0.7, direction)
    receivers = Steerable(*(part.unsqueeze(1).expand(-1, SENDERS, *part.shape[1:]) for part in x))
    senders = Steerable(*(part[TOPOLOGY.senders].unflatten(0, (NODES, SENDERS)) for part in x))
    gathered = receivers.join(senders)
    gathered = Steerable(torch.cat([gathered.scalars, edge_scalars], dim=-1), gathered.vectors)
    found = e3nn_order(product(x, edge_scalars, attribute, TOPOLOGY))
    inputs = [*x, edge_scalars, direction, *product.parameters()]
    assert_equal_with_gradients(found, reference(product, gathered, attribute), inputs)


def test_products_have_second_derivatives():
    product = EdgeProduct((2, 2), 1, (3, 2))
    x = random_features(NODES, scalars=2, vectors=2)
    edge_scalars, direction = (
        torch.randn(NODES, SENDERS, 1),
        torch.randn(NODES, SENDERS, 3, requires_grad=True),
    )

    def answer(scalars: Tensor, vectors: Tensor, direction: Tensor) -> Tensor:
        return e3nn_order(
            gate(product(Steerable(scalars, vectors), edge_scalars, Harmonics(0.7, direction), TOPOLOGY))
        )

    assert torch.autograd.gradgradcheck(answer, (*x, direction))


def test_harmonics_match_e3nns():
    vectors = torch.randn(NODES, 3)
    expected = o3.spherical_harmonics([0, 1], vectors, normalize=True, normalization="integral")
    found = harmonics(vectors)
    torch.testing.assert_close(torch.full((NODES,), found.constant), expected[:, 0], rtol=1e-12, atol=0)
    torch.testing.assert_close(found.vector, expected[:, 1:], rtol=1e-12, atol=1e-12)
    assert torch.equal(harmonics(torch.zeros(1, 3)).vector, torch.zeros(1, 3))
