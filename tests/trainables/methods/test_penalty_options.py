"""The penalty of a relaxed step: its form, its weights and their courses."""

from functools import partial

import pytest
import torch
from small_networks import batch, build, method

from trainables.relaxation import penalties
from trainables.relaxation.action import infinitesimal, rotate
from trainables.relaxation.averaged import averaged_penalty
from trainables.relaxation.relaxed_layer import relaxed_layers


def penalty_at(relaxed, step, steps=10, name="egnn"):
    """The penalty of one step, and the layers with what they recorded."""
    graph, _ = batch(name)
    model = relaxed.relax(build(name), torch.Generator().manual_seed(0)).train()
    relaxed.begin_step(model, step, steps)
    model(graph)
    return relaxed.penalty(model), list(relaxed_layers(model).values())


@pytest.mark.parametrize("lie_form", ["averaged", "exact"])
def test_the_penalty_is_the_weighted_sum_over_layers(lie_form):
    weights = {"norm": 0.2, "lie": 0.3, "parity": 0.4}
    total, layers = penalty_at(method(schedule="constant", init=1.0, lie_form=lie_form, penalty=weights), 1)
    assert len(layers) == 2

    def plain(layer, call):
        terms = {name: getattr(penalties, name)(layer, call) for name in weights}
        return sum(weights[name] * term for name, term in terms.items())

    one = plain if lie_form == "exact" else partial(averaged_penalty, weights=weights)
    expected = sum(one(layer, call) for layer in layers for call in layer.calls)
    torch.testing.assert_close(total, expected)


def square_sums(layer, call):
    """The sums of squares of the three penalties over samples and entries, from one dense matrix at a time."""
    weight, x = layer.companion.weight.detach(), call.inputs
    eye_in, eye_out = torch.eye(weight.shape[1]), torch.eye(weight.shape[0])

    def acting(representations, identity, act):
        return act(representations, identity).T  # the images of the unit vectors are the columns

    totals = {"norm": (x @ weight.T).square().sum(), "lie": 0.0}
    for axis in torch.eye(3):
        into, out = (
            infinitesimal(parts, eye, axis.unsqueeze(0))[0].T
            for parts, eye in ((layer.inputs, eye_in), (layer.outputs, eye_out))
        )
        totals["lie"] += (x @ (weight @ into - out @ weight).T).square().sum()
    into, out = (
        acting(parts, eye, lambda parts, eye: rotate(parts, eye, -torch.eye(3)))
        for parts, eye in ((layer.inputs, eye_in), (layer.outputs, eye_out))
    )
    totals["parity"] = (x @ (weight @ into - out @ weight).T).square().sum()
    return totals


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["egnn", "segnn"])
def test_the_released_form_is_the_root_of_sums_over_layers_and_samples(name):
    weights = {"norm": 0.2, "lie": 0.3, "parity": 0.4}
    options = {"schedule": "constant", "init": 0.5, "lie_form": "exact", "penalty": weights}
    relaxed = method(**options, penalty_form="root_sum")
    total, layers = penalty_at(relaxed, 1, name=name)
    sums = [square_sums(layer, call) for layer in layers for call in layer.calls]
    assert len(sums) > 1
    expected = sum(weight * sum(one[term] for one in sums) ** 0.5 for term, weight in weights.items())
    torch.testing.assert_close(total, expected, rtol=1e-9, atol=0)


def test_the_released_form_has_a_gradient_if_companions_start_at_zero():
    relaxed = method(schedule="constant", init=0.0, penalty_form="root_sum")
    total, layers = penalty_at(relaxed, 1)
    total.backward()
    assert all(
        torch.equal(layer.companion.weight.grad, torch.zeros_like(layer.companion.weight)) for layer in layers
    )


def test_a_layer_called_twice_contributes_the_mean_of_its_calls():
    graph, _ = batch("egnn")
    relaxed = method(schedule="constant", init=1.0)
    model = relaxed.relax(build("egnn"), torch.Generator().manual_seed(0)).train()
    values = []
    for calls in (1, 2):
        relaxed.begin_step(model, 1, 10)
        for _ in range(calls):
            model(graph)
        values.append(relaxed.penalty(model))
    torch.testing.assert_close(*values)


@pytest.mark.parametrize(
    ("course", "shares"), [("constant", [1, 1]), ("theta", [0.75, 0.25]), ("tightening", [0.25, 0.75])]
)
def test_each_weight_has_its_own_course(course, shares):
    def norm_at(step, **weight):
        options = {"schedule": "linear", "strict_phase": 0.0, "init": 1.0}
        return penalty_at(method(**options, peak=2.0, penalty={"norm": weight, "lie": 0}), step, 9)[0]

    for step, share in zip([2, 6], shares, strict=True):
        constant = norm_at(step, weight=0.1)
        torch.testing.assert_close(norm_at(step, weight=0.1, course=course), share * constant)


def test_without_weights_there_is_no_penalty_and_nothing_is_kept():
    total, layers = penalty_at(method(schedule="constant", penalty={"norm": 0, "lie": 0}), 1)
    assert total is None
    assert not any(layer.calls for layer in layers)


def test_parity_completes_the_lie_term_unless_it_has_its_own_weight():
    assert method(penalty={"lie": 0.3}).penalties.weights["parity"].weight == 0.3
    assert method(penalty={"lie": 0.3, "parity": 0}).penalties.weights["parity"].weight == 0
    assert method(penalty={"norm": 0.3, "lie": 0}).penalties.weights["parity"].weight == 0


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({"lie": 0.3}, {"norm": 0.01, "lie": 0.3}),
        ({"norm": 0}, {"norm": 0, "lie": 0.01}),
        ({"lie": {"course": "theta"}}, {"norm": 0.01, "lie": 0.01}),
        ({"lie": {"weight": 0.2}}, {"norm": 0.01, "lie": 0.2}),
        ({"parity": 0.5}, {"norm": 0.01, "lie": 0.01, "parity": 0.5}),
    ],
)
def test_omitted_penalty_options_keep_their_defaults(given, weights):
    found = method(penalty=given).penalties.weights
    assert {name: found[name].weight for name in weights} == weights


def test_a_random_generator_is_the_same_in_the_same_step():
    values = {}
    for step in (3, 4, 3):
        options = {"schedule": "constant", "init": 1.0, "penalty": {"norm": 0, "lie": 1.0}}
        value = penalty_at(method(**options, lie_form="random"), step)[0].item()
        assert values.setdefault(step, value) == value
    assert values[3] != values[4]


def test_a_sampled_penalty_is_unbiased_in_value_and_gradient():
    options = {
        "schedule": "constant",
        "companion": "feed_forward",
        "init": 1.0,
        "penalty": {"norm": 0.3, "lie": 1.0},
    }
    graph, _ = batch("egnn")

    def value_and_slope(relaxed, model, step):
        relaxed.begin_step(model, step, 10**4)
        model(graph)
        value = relaxed.penalty(model)
        (slope,) = torch.autograd.grad(value, next(iter(relaxed_layers(model).values())).companion.first_bias)
        return torch.stack([value.detach(), slope[0]])

    exact, sampled = (method(**options, lie_form=form) for form in ("exact", "sampled"))
    model = exact.relax(build("egnn"), torch.Generator().manual_seed(0)).train()
    expected = value_and_slope(exact, model, 1)
    found = torch.stack([value_and_slope(sampled, model, step) for step in range(1, 401)])
    error = found.std(0) / len(found) ** 0.5
    assert (error > 0).all()
    assert ((found.mean(0) - expected).abs() < 4 * error).all()


def test_the_sampled_penalty_of_linear_companions_equals_the_averaged_one():
    options = {"schedule": "constant", "init": 1.0}
    forms = ("averaged", "sampled")
    averaged, sampled = (penalty_at(method(**options, lie_form=form), 1)[0] for form in forms)
    assert averaged == sampled


@pytest.mark.parametrize("lie_form", ["averaged", "exact"])
@pytest.mark.parametrize("name", ["segnn", "vn_pointnet", "equiformer"])
def test_penalties_are_not_rounded_by_autocast(name, lie_form):
    relaxed = method(schedule="constant", init=1.0, lie_form=lie_form)
    graph, target = batch(name)
    model = relaxed.relax(build(name), torch.Generator().manual_seed(0)).train()
    values = []
    for lowered in (False, True):
        relaxed.begin_step(model, 1, 10)
        with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
            loss = (model(graph) - target).square().mean()
            penalty = relaxed.penalty(model)
        assert penalty.dtype is torch.float32
        (loss + penalty).backward()
        values.append(penalty.item())
    assert values[1] == pytest.approx(values[0], rel=0.1)
