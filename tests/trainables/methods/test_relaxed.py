import copy

import pytest
import torch
from small_networks import MODELS, PARTICLES, batch, build, method, train

from trainables.errors import BadInput
from trainables.methods.strict import Strict
from trainables.registry import resolve
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.symmetry import Symmetry
from trainables.training.equivariance import equivariance_errors


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
def test_every_model_is_strict_after_a_few_hundred_steps(name):
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


def test_the_strict_phase_provides_the_statistics():
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
def test_fold_and_drop_differ_if_theta_is_cut():
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


def relaxed_to_fold(name, **options):
    return method(projection="fold", **options).relax(build(name), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "options"),
    [("egnn", {}), ("segnn", {}), ("equiformer", {}), ("se3_transformer", {"companion": "mlp"})],
)
def test_fold_is_refused_if_no_layer_can_take_a_companion(name, options):
    with pytest.raises(BadInput, match=r"^projection: fold has nothing to fold into .*; use drop, or relax"):
        relaxed_to_fold(name, **options)


@pytest.mark.parametrize("name", ["se3_transformer", "vn_pointnet", "vn_dgcnn"])
def test_fold_is_accepted_for_networks_of_linear_layers(name):
    assert relaxed_layers(relaxed_to_fold(name))


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
