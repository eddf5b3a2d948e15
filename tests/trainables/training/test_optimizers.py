import pytest
import torch
from torch import nn

from trainables.spec import Training
from trainables.training.optimizers import build, learning_rate_factor


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "muon"])
def test_every_optimizer_trains_every_parameter(name):
    network = model()
    before = [parameter.clone() for parameter in network.parameters()]
    optimizers = build(Training(optimizer=name, lr=0.02), network.parameters())
    x = torch.randn(64, 4)
    losses = []
    for _ in range(60):
        loss = (network(x) - x[:, :1] ** 2).square().mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_muon_takes_the_matrices_and_adamw_the_rest():
    muon, rest = build(Training(optimizer="muon", lr=0.01, weight_decay=0.1), model().parameters())
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(rest, torch.optim.AdamW)
    assert [parameter.ndim for parameter in muon.param_groups[0]["params"]] == [2, 2]
    assert [parameter.ndim for parameter in rest.param_groups[0]["params"]] == [1, 1]
    assert {group["weight_decay"] for one in (muon, rest) for group in one.param_groups} == {0.1}


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_no_parameters_need_no_optimizer(name):
    frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)
    assert build(Training(optimizer=name), [frozen]) == []
    assert len(build(Training(optimizer=name), [nn.Parameter(torch.zeros(2, 2))])) == 1


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, **options)),
    ],
)
def test_steps_are_those_of_the_plain_optimizer(name, reference):
    networks = model(), model()
    (fused,) = build(Training(optimizer=name, lr=0.1, weight_decay=0.01), networks[0].parameters())
    plain = reference(networks[1].parameters(), lr=0.1, weight_decay=0.01)
    x = torch.randn(8, 4)
    for _ in range(5):
        for network, optimizer in zip(networks, (fused, plain), strict=True):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(one, other)


def course(**options):
    return [learning_rate_factor(Training(**options), step, 100) for step in range(100)]


def test_constant_learning_rate():
    assert course() == [1.0] * 100


def test_warm_up_rises_linearly_and_never_starts_at_zero():
    factors = course(warmup=0.1)
    assert factors[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert factors[10:] == [1.0] * 90


def test_cosine_falls_from_one_towards_zero():
    factors = course(lr_schedule="cosine")
    assert factors[0] == 1.0
    assert factors[50] == pytest.approx(0.5)
    assert factors == sorted(factors, reverse=True)
    assert 0 < factors[-1] < 0.001


def test_steps_of_the_learning_rate():
    assert course(lr_schedule="step")[::10] == pytest.approx([0.7**tenth for tenth in range(10)])


def test_a_warm_up_as_long_as_the_training():
    assert course(warmup=1.0, lr_schedule="cosine")[-1] == pytest.approx(100 / 101)
