import re

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from trainables.errors import first_message
from trainables.spec import Training
from trainables.training.block_optimizers import BlockMuon
from trainables.training.epoch import train_epoch
from trainables.training.matrices import hidden_matrices
from trainables.training.optimizer_names import revision_of
from trainables.training.optimizers import build, learning_rate_factor
from trainables.training.run import start


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 1))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "muon", "adam_block", f"{__name__}:Signed"])
def test_every_optimizer_trains_every_parameter(name):
    network = model()
    before = [parameter.clone() for parameter in network.parameters()]
    optimizers = build(Training(optimizer=name, lr=0.02), network.parameters(), hidden_matrices(network))
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


class Signed(torch.optim.Optimizer):
    """A user-defined optimizer: moves by lr against the sign of the gradient."""

    def __init__(self, params, lr, *, sharpness=1e3):
        super().__init__(params, {"lr": lr, "sharpness": sharpness})

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data -= group["lr"] * torch.tanh(group["sharpness"] * parameter.grad)


def test_a_users_optimizer_gets_its_options():
    options = {"sharpness": 3.0}
    (signed,) = build(
        Training(optimizer=f"{__name__}:Signed", lr=0.1, optimizer_options=options), model().parameters()
    )
    assert isinstance(signed, Signed)
    assert (signed.param_groups[0]["sharpness"], signed.param_groups[0]["lr"]) == (3.0, 0.1)


def test_weight_decay_is_passed_on_to_an_optimizer_that_accepts_it():
    training = Training(optimizer="torch.optim:RMSprop", weight_decay=0.1)
    (found,) = build(training, model().parameters())
    assert isinstance(found, torch.optim.RMSprop)
    assert found.param_groups[0]["weight_decay"] == 0.1


@pytest.mark.parametrize("name", ["torch.optim:AdamW", f"{__name__}:Decaying"])
def test_no_weight_decay_means_none_whatever_the_default_of_the_class(name):
    (found,) = build(Training(optimizer=name), model().parameters())
    assert found.param_groups[0]["weight_decay"] == 0


class Decaying(Signed):
    """Has a weight decay by default."""

    def __init__(self, params, lr, *, weight_decay=0.01):
        super().__init__(params, lr)
        self.param_groups[0]["weight_decay"] = weight_decay


class Open(Signed):
    """Accepts any keyword."""

    def __init__(self, params, lr, **options):
        super().__init__(params, lr)
        self.options = options


def test_a_class_with_open_keywords_gets_only_a_weight_decay_that_is_set():
    def options(**settings):
        (found,) = build(Training(optimizer=f"{__name__}:Open", **settings), model().parameters())
        return found.options

    assert options(optimizer_options={"eps": 1}) == {"eps": 1}
    assert options(weight_decay=0.1) == {"weight_decay": 0.1}


def test_editions_of_optimizers():
    assert [revision_of(name) for name in ("adam", "muon", "torch.optim:AdamW")] == [1, 2, 2]


def test_soap_of_pytorch_optimizer_by_its_name():
    module = pytest.importorskip("pytorch_optimizer")
    (soap,) = build(Training(optimizer="pytorch_optimizer:SOAP", lr=0.01), model().parameters())
    assert isinstance(soap, module.SOAP)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adm"}, "unknown optimizer; did you mean 'adam'"),
        ({"optimizer": "torch.nn:Linear"}, "is not a torch optimizer"),
        ({"optimizer": "torch.optim:Optimizer"}, "is not a torch optimizer"),
        ({"optimizer": "torch.optim:NoSuch"}, "cannot be imported"),
        ({"optimizer": "no_such_module:SOAP"}, "cannot be imported"),
        ({"optimizer": "torch.optim:LBFGS"}, "needs a closure"),
        (
            {"optimizer": f"{__name__}:Signed", "optimizer_options": {"sharpnes": 1}},
            "did you mean 'sharpness'",
        ),
        (
            {"optimizer": "adam", "optimizer_options": {"betas": [0.9, 0.99]}},
            "optimizer_options: 'adam' takes none",
        ),
        ({"optimizer": "adam", "adamw_factor": 0.1}, "adamw_factor: has no effect on 'adam'"),
        ({"optimizer": f"{__name__}:Signed", "adamw_factor": 0.1}, "adamw_factor: has no effect"),
        ({"optimizer": f"{__name__}:Signed", "weight_decay": 0.1}, "weight_decay: .* has no weight decay"),
        (
            {"optimizer": "torch.optim:AdamW", "optimizer_options": {"lr": 0.1}},
            "optimizer_options.lr: remove it and set training.lr",
        ),
        (
            {"optimizer": f"{__name__}:Open", "optimizer_options": {"weight_decay": 0.1}},
            "optimizer_options.weight_decay: remove it and set training.weight_decay",
        ),
        (
            {"optimizer": f"{__name__}:Open", "optimizer_options": {"params": []}},
            "optimizer_options.params: is filled in",
        ),
        (
            {"optimizer": "adam", "momentum": 0.8},
            "momentum: has no effect on 'adam'.* optimizer: sgd or muon",
        ),
        (
            {"optimizer": "torch.optim:SGD", "momentum": 0.8},
            "momentum: has no effect on 'torch.optim:SGD'.* optimizer_options.momentum",
        ),
    ],
)
def test_an_invalid_optimizer_or_option_gives_one_line(settings, message):
    with pytest.raises(ValidationError) as error:
        Training(**settings)
    line = first_message(error.value, "training", Training)
    assert re.search(message, line)
    assert "\n" not in line


def test_momentum_of_sgd():
    (sgd,) = build(Training(optimizer="sgd", momentum=0.8), model().parameters())
    assert sgd.param_groups[0]["momentum"] == 0.8


def test_the_groups_that_muon_leaves_to_adamw_carry_the_factor_of_their_rate():
    network = model()
    training = Training(optimizer="muon", lr=0.01, weight_decay=0.1, adamw_factor=0.3)
    muon, rest = build(training, network.parameters(), hidden_matrices(network))
    assert isinstance(muon, BlockMuon)
    assert isinstance(rest, torch.optim.AdamW)
    assert [parameter is network[2].weight for parameter in muon.param_groups[0]["params"]] == [True]
    assert rest.param_groups[0]["lr"] == pytest.approx(0.003)
    assert rest.param_groups[0]["lr_factor"] == 0.3
    assert {group["weight_decay"] for one in (muon, rest) for group in one.param_groups} == {0.1}


def test_a_trial_moves_what_muon_leaves_at_its_own_rate(make_spec, task):
    def lr_of(factor):
        run = start(
            make_spec(optimizer="muon", lr=0.01, adamw_factor=factor), task, torch.device("cpu"), None
        )
        train_epoch(run, 0)
        return [group["lr"] for optimizer in run.trunk for group in optimizer.param_groups]

    assert lr_of(1.0) == [0.01, 0.01]
    assert lr_of(0.5) == [0.01, 0.005]


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
def test_steps_match_those_of_the_plain_optimizer(name, reference):
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
