import copy

import pytest
import torch
from test_matrices import HIDDEN, UsersNetwork
from torch import nn

from trainables.registry import build as build_model
from trainables.spec import Training
from trainables.training.blocks import orthogonalized, spectral_norms
from trainables.training.matrices import hidden_matrices
from trainables.training.optimizers import build

NETWORKS = [*HIDDEN, "a user's e3nn network"]


def network(name):
    torch.manual_seed(0)
    if name not in HIDDEN:
        return UsersNetwork()
    options, signature, _ = HIDDEN[name]
    return build_model("model", {"name": name, **options}, signature)


def step(model, **settings):
    """One step on random gradients; returns the hidden matrices and what was subtracted from each parameter."""
    hidden = hidden_matrices(model)
    before = {parameter: parameter.detach().clone() for parameter in model.parameters()}
    optimizers = build(Training(**settings), model.parameters(), hidden)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    for optimizer in optimizers:
        optimizer.step()
    return hidden, {parameter: before[parameter] - parameter.detach() for parameter in before}


@pytest.mark.parametrize("name", NETWORKS)
def test_muon_moves_each_block_orthogonally_and_all_else_as_adamw(name):
    # A large rate, so that the rounding of weight minus update to float32 is small in comparison.
    hidden, moved = step(network(name), optimizer="muon", lr=10.0, adamw_factor=0.5)
    by_adamw = {parameter: torch.ones_like(parameter, dtype=torch.bool) for parameter in moved}
    for matrix in hidden:
        by_adamw[matrix.parameter].as_strided(matrix.shape, matrix.stride, matrix.offset).fill_(False)
        update = matrix.of(moved[matrix.parameter]) / (10.0 * 0.2 * max(matrix.shape) ** 0.5)
        gradient = matrix.of(matrix.parameter.grad)
        u, s, v = torch.linalg.svd(gradient, full_matrices=False)
        # Singular values below 0.0012 of the norm, of which random gradients have hardly any, need not reach 1.
        assert s.min() > 0.0012 * s.norm()
        torch.testing.assert_close(update, u @ v, rtol=0, atol=1e-2)
        torch.testing.assert_close(
            torch.linalg.svdvals(update), torch.ones(min(matrix.shape)), rtol=0, atol=1e-2
        )
    for parameter, mask in by_adamw.items():
        # The first step of Adam moves by lr in the direction of the gradient's sign.
        expected = 5.0 * parameter.grad.sign()
        torch.testing.assert_close(moved[parameter][mask], expected[mask], rtol=1e-3, atol=1e-3)
    assert any(mask.any() for mask in by_adamw.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_adam_block_moves_each_block_by_the_rate_in_spectral_norm_and_all_else_as_adam(name):
    hidden, moved = step(network(name), optimizer="adam_block", lr=10.0)
    by_adam = {parameter: torch.ones_like(parameter, dtype=torch.bool) for parameter in moved}
    for matrix in hidden:
        by_adam[matrix.parameter].as_strided(matrix.shape, matrix.stride, matrix.offset).fill_(False)
        sign = matrix.of(matrix.parameter.grad.sign())
        expected = 10.0 * sign / torch.linalg.matrix_norm(sign, 2)
        torch.testing.assert_close(matrix.of(moved[matrix.parameter]), expected, rtol=4e-3, atol=1e-4)
    for parameter, mask in by_adam.items():
        expected = 10.0 * parameter.grad.sign()
        torch.testing.assert_close(moved[parameter][mask], expected[mask], rtol=1e-3, atol=1e-3)


def test_muon_matches_torchs_except_for_the_last_iterations():
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.zeros(6, 9)) for _ in range(2))
    settings = Training(optimizer="muon", lr=0.1, momentum=0.8)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(9, 6, bias=False), nn.Linear(2, 2))
    model[1].weight = ours
    (muon,) = build(settings, [ours], hidden_matrices(model))
    reference = torch.optim.Muon(
        [theirs], lr=0.1, weight_decay=0.0, momentum=0.8, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(3):
        ours.grad = torch.randn(6, 9)
        theirs.grad = ours.grad.clone()
        muon.step()
        reference.step()
    assert (ours - theirs).norm() < 0.35 * theirs.norm()
    assert torch.dot(ours.flatten(), theirs.flatten()) > 0.98 * ours.norm() * theirs.norm()


def test_adam_block_without_blocks_is_adam():
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(3, 4))]
    (ours,) = build(Training(optimizer="adam_block", lr=0.1, weight_decay=0.1), parameters[:1])
    theirs = torch.optim.Adam(parameters[1:], lr=0.1, weight_decay=0.1)
    for _ in range(4):
        parameters[0].grad = torch.randn(3, 4)
        parameters[1].grad = parameters[0].grad.clone()
        ours.step()
        theirs.step()
    torch.testing.assert_close(parameters[0], parameters[1])


def test_the_moments_of_adam_block_match_adams():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 4, bias=False), nn.Linear(2, 2))
    weight = model[1].weight
    (ours,) = build(Training(optimizer="adam_block"), [weight], hidden_matrices(model))
    reference = nn.Parameter(torch.zeros(4, 3))
    theirs = torch.optim.Adam([reference])
    for _ in range(3):
        weight.grad = torch.randn(4, 3)
        reference.grad = weight.grad.clone()
        ours.step()
        theirs.step()
    for name in ("exp_avg", "exp_avg_sq"):
        torch.testing.assert_close(ours.state[weight][name], theirs.state[reference][name])


@pytest.mark.parametrize("name", ["muon", "adam_block"])
def test_an_interrupted_training_resumes_exactly(name):
    def train(optimizers, model, seed):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
        for optimizer in optimizers:
            optimizer.step()

    def start(model):
        return build(Training(optimizer=name, lr=0.1), model.parameters(), hidden_matrices(model))

    whole, resumed = network("a user's e3nn network"), network("a user's e3nn network")
    optimizers = start(whole)
    train(optimizers, whole, 1)
    resumed.load_state_dict(whole.state_dict())
    again = start(resumed)
    for old, new in zip(optimizers, again, strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    train(optimizers, whole, 2)
    train(again, resumed, 2)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("shape", [(5, 5), (3, 20), (40, 7), (200, 200)])
def test_the_spectral_norm_matches_torchs_to_within_3_in_1000(shape):
    torch.manual_seed(0)
    matrices = torch.stack([torch.randn(shape), 1e-6 * torch.randn(shape), 1e6 * torch.eye(*shape)])
    exact = torch.linalg.matrix_norm(matrices, 2)
    torch.testing.assert_close(spectral_norms(matrices).flatten(), exact, rtol=3e-3, atol=0)


def test_zeros_stay_zeros():
    zeros = torch.zeros(2, 3, 4)
    assert torch.equal(orthogonalized(zeros), zeros)
    assert torch.equal(spectral_norms(zeros), torch.zeros(2, 1, 1))


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_singular_values_from_the_bound_on_become_1_and_none_exceeds_it(shape):
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.tensor([1.0, 0.5, 0.1, 0.01, 0.0014, 1e-5])
    found = torch.linalg.svdvals(orthogonalized((u @ torch.diag(values) @ v)[None])[0])
    torch.testing.assert_close(found[:5], torch.ones(5), rtol=0, atol=1e-2)
    assert found[5] < 0.1
