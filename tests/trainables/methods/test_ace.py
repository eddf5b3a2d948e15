import pytest
import torch
from torch import nn

from trainables import registry
from trainables.models.layers.vector_neuron import VectorLinear
from trainables.relaxation.relaxed_layer import relaxed_layers


def ace(**options):
    return registry.build("method", registry.resolve("method", {"name": "ace", **options}))


def network():
    torch.manual_seed(0)
    return nn.Sequential(VectorLinear(2, 3), VectorLinear(3, 1))


def steps_of(method, count, primal_lr):
    """gamma, lambda and slack of the first layer after each step of plain gradient descent, and dJ/dgamma."""
    model = method.relax(network(), torch.Generator().manual_seed(0))
    first = relaxed_layers(model)["0"]
    first.companion.weight.data += 0.3
    optimizer = torch.optim.SGD(method.companion_parameters(model), lr=primal_lr)
    x = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(1))
    states = [(first.scale.item(), first.multiplier.item(), first.slack.item())]
    slopes = []
    for step in range(count):
        method.begin_step(model, step, count)
        loss = (model(x) - 1).square().mean()
        slopes.append(torch.autograd.grad(loss, first.scale, retain_graph=True)[0].item())
        optimizer.zero_grad()
        (loss + method.penalty(model)).backward()
        optimizer.step()
        method.end_step(model)
        states.append((first.scale.item(), first.multiplier.item(), first.slack.item()))
    return states, slopes


def test_equality_is_the_primal_dual_step_of_the_paper():
    states, slopes = steps_of(ace(dual_lr=0.2), 5, primal_lr=0.1)
    assert states[0] == (1.0, 0.0, 0.0)
    for (gamma, dual, _), (next_gamma, next_dual, _), slope in zip(states, states[1:], slopes, strict=False):
        assert next_gamma == pytest.approx(gamma - 0.1 * (slope + dual), abs=1e-6)
        assert next_dual == pytest.approx(dual + 0.2 * next_gamma, abs=1e-6)


def test_elastic_is_the_primal_dual_step_of_the_paper():
    states, slopes = steps_of(ace(form="elastic", dual_lr=0.2, slack_lr=0.3, rho=0.5), 12, primal_lr=0.1)
    for (gamma, dual, slack), (next_gamma, next_dual, next_slack), slope in zip(
        states, states[1:], slopes, strict=False
    ):
        sign = 1 if gamma > 0 else -1
        assert next_gamma == pytest.approx(gamma - 0.1 * (slope + dual * sign), abs=1e-6)
        assert next_dual == pytest.approx(max(0, dual + 0.2 * (abs(next_gamma) - slack)), abs=1e-6)
        assert next_slack == pytest.approx(slack + 0.3 * (next_dual - 0.5 * slack), abs=1e-6)


def test_adam_on_the_dual_matches_torchs_adam():
    states, _ = steps_of(ace(dual_optimizer="adam", dual_lr=0.05), 8, primal_lr=0.3)
    dual = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.Adam([dual], lr=0.05)
    for gamma, expected, _ in states[1:]:
        dual.grad = torch.tensor(-gamma)
        optimizer.step()
        assert expected == pytest.approx(dual.item(), rel=1e-5)


@pytest.mark.parametrize("form", ["equality", "elastic"])
def test_the_augmented_term_is_added_to_the_lagrangian(form):
    plain, augmented = (ace(form=form, augmented=c) for c in (0.0, 2.0))
    model = plain.relax(network(), torch.Generator().manual_seed(0))
    first, second = relaxed_layers(model).values()
    first.scale.data.fill_(0.3)
    second.scale.data.fill_(-0.2)
    second.slack.fill_(0.5)
    squares = 0.3**2 + (0.2**2 if form == "equality" else 0.0)
    difference = augmented.penalty(model) - plain.penalty(model)
    assert difference.item() == pytest.approx(2.0 * squares, rel=1e-6)


def largest_gamma(optimizer_steps, **options):
    """The largest |gamma| in the last fifth of a training by Adam whose only objective is the constraint."""
    model = (method := ace(**options)).relax(network(), torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam([layer.scale for layer in relaxed_layers(model).values()], lr=1e-2)
    gammas = []
    for step in range(optimizer_steps):
        method.begin_step(model, step, optimizer_steps)
        optimizer.zero_grad()
        method.penalty(model).backward()
        optimizer.step()
        method.end_step(model)
        gammas.append(method.measures(model)["theta"])
    return max(gammas[-optimizer_steps // 5 :])


def test_the_augmented_term_ends_the_oscillation_of_gamma():
    assert largest_gamma(480) > 0.5
    assert largest_gamma(480, augmented=1.0) < 0.1


def test_gamma_and_lambda_of_each_layer_are_measured():
    method = ace(form="elastic")
    model = method.relax(network(), torch.Generator().manual_seed(0))
    method.end_step(model)
    measures = method.measures(model)
    assert set(measures) == {
        "theta",
        *(f"{name}.{i}" for name in ("gamma", "lambda", "slack") for i in (0, 1)),
    }
    assert measures["theta"] == 1.0
    assert measures["lambda.0"] == pytest.approx(8e-4)


def test_the_constraint_drives_gamma_to_zero():
    model = (method := ace(dual_lr=0.05)).relax(network(), torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(method.companion_parameters(model), lr=0.05)
    for _ in range(2000):  # the constraint is the only objective, with weight decay as friction
        optimizer.zero_grad()
        (method.penalty(model) + sum(layer.scale**2 for layer in relaxed_layers(model).values())).backward()
        optimizer.step()
        method.end_step(model)
    assert method.measures(model)["theta"] < 1e-3


def test_equality_is_projected_and_elastic_is_not():
    equality, elastic = ace(strict_phase=0.2), ace(form="elastic")
    assert (equality.delivers_strict, equality.projection_step(100)) == (True, 80)
    assert (elastic.delivers_strict, elastic.projection_step(100)) == (False, 100)
    model = equality.relax(network(), torch.Generator())
    assert list(equality.project(model).state_dict()) == list(network().state_dict())
    assert equality.measures(model) == {"theta": 0.0}
    model = elastic.relax(network(), torch.Generator())
    assert elastic.project(model) is model
    assert len(relaxed_layers(model)) == 2


def test_the_state_of_the_dual_is_in_the_checkpoint():
    method = ace()
    model = method.relax(network(), torch.Generator())
    method.end_step(model)
    other = method.relax(network(), torch.Generator())
    other.load_state_dict(model.state_dict())
    assert method.measures(other) == method.measures(model)
