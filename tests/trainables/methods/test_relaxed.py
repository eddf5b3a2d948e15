import copy
from functools import partial

import pytest
import torch

from trainables import registry
from trainables.errors import BadInput
from trainables.graph import Graph, Signature, complete_topology
from trainables.methods.strict import Strict
from trainables.registry import resolve
from trainables.relaxation import penalties
from trainables.relaxation.action import infinitesimal, rotate
from trainables.relaxation.averaged import averaged_penalty
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.spec import Training
from trainables.symmetry import Symmetry
from trainables.training import optimizers
from trainables.training.equivariance import equivariance_errors

PARTICLES = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")
CLOUDS = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=3)
MODELS = {
    "egnn": (PARTICLES, {"hidden": 8, "layers": 2}),
    "segnn": (PARTICLES, {"hidden": 4, "layers": 2}),
    "equiformer": (
        PARTICLES,
        {"channels": 8, "layers": 1, "heads": 2, "radial": 8, "radial_hidden": 8, "logits": 4},
    ),
    "se3_transformer": (PARTICLES, {"channels": 4, "layers": 1, "heads": 2, "radial": 4}),
    "vn_pointnet": (CLOUDS, {"width": 0.15, "neighbours": 5, "dropout": 0.0}),
    "vn_dgcnn": (CLOUDS, {"width": 0.15, "neighbours": 5, "dropout": 0.0}),
}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def build(name):
    signature, options = MODELS[name]
    torch.manual_seed(0)
    return registry.build("model", {"name": name, **options}, signature)


def batch(name):
    """Four graphs of seven nodes, or two clouds of twenty points, and a target for each output."""
    signature, _ = MODELS[name]
    generator = torch.Generator().manual_seed(1)
    graphs, nodes = (2, 20) if signature is CLOUDS else (4, 7)
    count, edges = graphs * nodes, 0 if signature is CLOUDS else graphs * nodes * (nodes - 1)
    graph = Graph(
        positions=torch.randn(count, 3, generator=generator),
        scalars=torch.zeros(count, 0),
        vectors=torch.randn(count, signature.vectors, 3, generator=generator),
        edge_scalars=torch.randn(edges, signature.edge_scalars, generator=generator),
        topology=None if signature is CLOUDS else complete_topology(graphs, nodes, torch.device("cpu")),
        graphs=graphs,
    )
    shape = (graphs, 3) if signature is CLOUDS else (count, 3)
    return graph, torch.randn(shape, generator=generator)


def method(name="relaxed", **options):
    return registry.build("method", resolve("method", {"name": name, **options}))


def train(name, treatment, steps, lr=1e-3):
    """The model after as many steps as a trial would make them, and the losses."""
    torch.manual_seed(2)  # for dropout
    graph, target = batch(name)
    model = treatment.relax(build(name), torch.Generator().manual_seed(3)).train()
    added = {id(parameter) for parameter in treatment.companion_parameters(model)}
    groups = [[], []]
    for parameter in model.parameters():
        groups[id(parameter) in added].append(parameter)
    trunk, companions = (optimizers.build(Training(lr=lr), group) for group in groups)
    losses, relaxed = [], True
    for step in range(steps + 1):
        if step == treatment.projection_step(steps):
            model, companions, relaxed = treatment.project(model), [], False
        if step == steps:
            return model, losses
        if relaxed:
            treatment.begin_step(model, step, steps)
        loss = (model(graph) - target).square().mean()
        penalty = treatment.penalty(model) if relaxed else None
        for optimizer in trunk + companions:
            optimizer.zero_grad()
        (loss if penalty is None else loss + penalty).backward()
        for optimizer in trunk + companions:
            optimizer.step()
        if relaxed:
            treatment.end_step(model)
        losses.append(loss.item())


def errors_of(name, model):
    graph, _ = batch(name)
    particles = MODELS[name][0] is PARTICLES
    symmetry = Symmetry(inversion=particles, translations=particles)
    return equivariance_errors(model, graph, MODELS[name][0], symmetry, torch.Generator().manual_seed(0))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("treatment", ["relaxed", "ace", "released ace"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_relaxed_trained_and_delivered_strict(name, treatment):
    released = {"companion": "mlp", "dual_optimizer": "adam", "augmented": 2.0}
    options = released if treatment == "released ace" else {}
    relaxed = method(treatment.split()[-1], init=0.1, strict_phase=0.0, **options)
    keys = list(build(name).state_dict())
    model, losses = train(name, relaxed, 15)
    assert min(losses) < losses[0]
    assert max(errors_of(name, model).values()) <= 1e-10
    assert list(model.state_dict()) == keys
    assert type(model) is type(build(name))


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", MODELS)
def test_every_model_after_a_few_hundred_steps(name):
    model, _ = train(name, method("relaxed", strict_phase=0.1), 300)
    assert max(errors_of(name, model).values()) <= 1e-10


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_broken_by_its_companions(name):
    model = method("unconstrained", init=0.3).relax(build(name), torch.Generator().manual_seed(0))
    assert errors_of(name, model)["rotation"] > 1e-4


def zero(t):
    return 0.0


@pytest.mark.parametrize("name", MODELS)
def test_theta_zero_throughout_is_strict_bit_for_bit(name):
    never = method(schedule=f"{__name__}:zero", strict_phase=0.0, init=1.0)
    strict, strict_losses = train(name, Strict(), 15)
    relaxed, losses = train(name, never, 15)
    assert losses == strict_losses
    for key, value in strict.state_dict().items():
        assert torch.equal(relaxed.state_dict()[key], value), key


@pytest.mark.slow
def test_theta_zero_for_a_few_hundred_steps_is_strict_bit_for_bit():
    never = method(schedule=f"{__name__}:zero", strict_phase=0.0, init=1.0)
    assert train("segnn", Strict(), 400)[1] == train("segnn", never, 400)[1]


def test_theta_follows_its_schedule_step_by_step():
    relaxed = method(schedule="linear", peak=0.5, strict_phase=0.0)
    model = relaxed.relax(build("egnn"), torch.Generator().manual_seed(0))
    assert relaxed.measures(model) == {"theta": 0.0}
    layers = relaxed_layers(model).values()
    for step, theta in enumerate([0.5, 0.375, 0.25, 0.125, 0.0]):
        relaxed.begin_step(model, step, 5)
        assert relaxed.measures(model) == {"theta": theta}
        assert all(layer.scale == theta and layer.active == (theta > 0) for layer in layers)
    assert relaxed.measures(relaxed.project(model)) == {"theta": 0.0}


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
    """The sums of squares of the three penalties over samples and entries, with dense matrices one by one."""
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


def test_the_released_form_has_a_gradient_where_companions_start_at_zero():
    relaxed = method(schedule="constant", init=0.0, penalty_form="root_sum")
    total, layers = penalty_at(relaxed, 1)
    total.backward()
    assert all(
        torch.equal(layer.companion.weight.grad, torch.zeros_like(layer.companion.weight)) for layer in layers
    )


def test_a_layer_that_is_called_twice_counts_with_the_mean_of_its_calls():
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


def test_parity_completes_the_lie_term_unless_it_has_a_weight_of_its_own():
    assert method(penalty={"lie": 0.3}).weights["parity"].weight == 0.3
    assert method(penalty={"lie": 0.3, "parity": 0}).weights["parity"].weight == 0
    assert method(penalty={"norm": 0.3, "lie": 0}).weights["parity"].weight == 0


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
def test_what_a_penalty_leaves_out_keeps_its_default(given, weights):
    found = method(penalty=given).weights
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


def test_a_sampled_penalty_of_linear_companions_is_the_averaged_one():
    options = {"schedule": "constant", "init": 1.0}
    forms = ("averaged", "sampled")
    averaged, sampled = (penalty_at(method(**options, lie_form=form), 1)[0] for form in forms)
    assert averaged == sampled


def test_the_strict_phase_gives_the_statistics():
    relaxed = method(strict_phase=0.1)
    assert relaxed.projection_step(200) == 180
    model, _ = train("vn_pointnet", relaxed, 30)
    tracked = {int(value) for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    assert tracked == {3}


def test_a_model_without_a_strict_phase_keeps_its_statistics():
    model, _ = train("vn_pointnet", method(strict_phase=0.0), 5)
    tracked = {int(value) for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    assert tracked == {5}


@pytest.mark.usefixtures("float64")
def test_fold_and_drop_differ_where_theta_is_cut():
    def output(projection, schedule):
        options = {
            "projection": projection,
            "schedule": schedule,
            "strict_phase": 0.0,
            "penalty": {"norm": 0, "lie": 0},
        }
        model, _ = train("vn_pointnet", method(init=0.1, **options), 10)
        return model.eval()(batch("vn_pointnet")[0])

    assert not torch.allclose(output("drop", "constant"), output("fold", "constant"))
    torch.testing.assert_close(output("drop", "linear"), output("fold", "linear"), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": {"lie": -0.1}}, r"method\.penalty\.lie\.weight: .*greater than or equal to 0"),
        ({"penalty": {"lee": 0.1}}, r"method\.penalty\.lee: unknown key"),
        ({"penalty": {}}, r"method\.penalty: is empty; leave it out"),
        ({"penalty": {"parity": {"course": "theta"}}}, r"method\.penalty\.parity.*weight"),
        ({"peak": 0}, r"method\.peak: .*greater than 0"),
        ({"strict_phase": 1}, r"method\.strict_phase: .*less than 1"),
        ({"schedule": "triangel"}, r"method\.schedule: unknown schedule; did you mean 'triangle'"),
        ({"schedule": "math:cos"}, r"method\.schedule: a schedule must end at exactly 0"),
        ({"projection": "keep"}, r"method\.projection: "),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(BadInput, match=message):
        resolve("method", {"name": "relaxed", **options})


def test_a_resolved_description_resolves_to_itself():
    once = resolve("method", {"name": "relaxed", "penalty": {"lie": 0.01}, "layers": ["a*"]})
    assert resolve("method", copy.deepcopy(once)) == once


ABLATION = {
    "full": {"penalty": {"lie": 0.01, "norm": 0.01}},
    "norm only": {"penalty": {"norm": 0.01, "lie": 0}},
    "lie only": {"penalty": {"norm": 0, "lie": 0.01}},
    "no penalty": {"penalty": {"norm": 0, "lie": 0}},
    "no schedule": {"penalty": {"lie": 0.01, "norm": 0.01}, "schedule": "constant"},
}


@pytest.mark.parametrize("curve", ABLATION)
def test_the_five_curves_of_the_ablation_train(curve):
    _, losses = train("egnn", method(**ABLATION[curve]), 20)
    assert losses[-1] < losses[0]


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
