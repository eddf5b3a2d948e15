"""Which layers of a network are relaxed, and what relaxing leaves unchanged."""

import copy

import pytest
import torch
from e3nn import o3
from torch import nn
from users_network import UsersNetwork, generator, inputs

from trainables.errors import BadInput
from trainables.relaxation.project import project
from trainables.relaxation.recognition import relaxable_layers
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers
from trainables.relaxation.representation import Representation, scalars, vectors

pytestmark = pytest.mark.usefixtures("float64")


def test_a_companion_is_a_dense_map_of_only_the_features():
    network = relax(UsersNetwork(), generator())
    shapes = {name: tuple(layer.companion.weight.shape) for name, layer in relaxed_layers(network).items()}
    assert shapes == {"embed": (30, 2), "mix": (36, 30), "product": (12, 30), "read_out": (3, 12)}


def test_layers_by_pattern():
    network = relax(UsersNetwork(), generator(), layers=["m*", "read_out"])
    assert set(relaxed_layers(network)) == {"mix", "read_out"}


def test_a_models_own_default_is_used_and_all_means_all():
    class Choosy(UsersNetwork):
        relax_default = ("mix",)
        relax_companion = "feed_forward"

    network = relax(Choosy(), generator())
    assert set(relaxed_layers(network)) == {"mix"}
    assert network.mix.companion.first.shape == (120, 30)
    network = relax(Choosy(), generator(), layers="all", companion="linear")
    assert len(relaxed_layers(network)) == 4


def test_an_unknown_pattern_names_itself_and_the_layers():
    with pytest.raises(BadInput, match=r"'reed_out' matches none of the relaxable layers: embed, mix"):
        relax(UsersNetwork(), generator(), layers=["mix", "reed_out"])


def test_a_model_without_relaxable_layers_is_refused():
    with pytest.raises(BadInput, match="Sequential has no relaxable layer"):
        relax(nn.Sequential(nn.Linear(3, 3)), generator())


def test_a_relaxed_model_is_not_relaxed_again():
    with pytest.raises(BadInput, match="already relaxed"):
        relax(relax(UsersNetwork(), generator()), generator())


class Declared(nn.Linear):
    def __init__(self, representation_in, representation_out):
        super().__init__(3, 3)
        self.representation_in, self.representation_out = representation_in, representation_out


@pytest.mark.parametrize(
    "to_script",
    [torch.jit.script, lambda layer: torch.jit.trace(layer, torch.randn(2, 6))],
    ids=["scripted", "traced"],
)
def test_a_torchscript_layer_is_refused_unless_the_layers_are_listed(to_script):
    model = nn.Sequential(to_script(o3.Linear("2x1o", "2x1o")), o3.Linear("2x1o", "1x1o"))
    with pytest.raises(BadInput, match="layers: '0' is a TorchScript module with parameters"):
        relax(model, show=None)
    assert list(relaxed_layers(relax(model, layers=["1"], show=None))) == ["1"]


def test_torchscript_without_parameters_is_no_obstacle():
    norm = torch.jit.script(nn.Identity())
    model = nn.Sequential(o3.Linear("2x1o", "2x1o"), norm, o3.Linear("2x1o", "1x1o"))
    assert list(relaxed_layers(relax(model, show=None))) == ["0", "2"]


def test_an_inconsistent_declaration_names_the_layer():
    wrong = Representation(o3.Irreps("2x1o"), "channels_last", (3, 4))
    with pytest.raises(BadInput, match=r"layer 'inner': .*\(3, 4\) have 12 .* 2x1o have 6"):
        relax(nn.ModuleDict({"inner": Declared(wrong, scalars(3))}), generator())


def test_an_input_that_does_not_fit_the_declaration_names_the_layer():
    network = relax(nn.Sequential(Declared(vectors(4), scalars(3))), generator())
    with pytest.raises(ValueError, match=r"layer '0': positional input 0 .*\(3, 4\) .*\(5, 3\)"):
        network(torch.randn(5, 3))


def test_the_root_may_be_the_relaxed_layer():
    strict = o3.Linear("2x1o", "2x1o")
    relaxed = relax(strict, generator())
    assert isinstance(relaxed, RelaxedLayer)
    assert project(relaxed) is strict


def test_a_shared_layer_is_relaxed_once_and_stays_shared():
    shared = o3.Linear("2x1o", "2x1o")
    network = nn.ModuleDict({"first": nn.Sequential(shared), "second": nn.Sequential(shared)})
    keys = list(network.state_dict())
    relax(network, generator(), layers=["second.*"])
    assert network["first"][0] is network["second"][0]
    assert len(relaxed_layers(network)) == 1
    project(network)
    assert network["first"][0] is network["second"][0] is shared
    assert list(network.state_dict()) == keys


def test_of_nested_layers_the_outermost_is_relaxed():
    class Outer(nn.Module):
        representation_in = representation_out = vectors(2)

        def __init__(self):
            super().__init__()
            self.inner = o3.Linear("2x1o", "2x1o")

    assert set(relaxable_layers(nn.ModuleList([Outer()]))) == {"0", "0.inner"}
    assert set(relaxed_layers(relax(nn.ModuleList([Outer()]), generator()))) == {"0"}
    assert set(relaxed_layers(relax(nn.ModuleList([Outer()]), generator(), layers=["*.inner"]))) == {
        "0.inner"
    }


def test_attributes_are_read_from_the_strict_layer():
    network = UsersNetwork()
    strict = network.mix
    relax(network, generator())
    assert network.mix.irreps_in == strict.irreps_in
    assert network.mix.weight is strict.weight
    with pytest.raises(AttributeError, match="no_such_thing"):
        network.mix.no_such_thing  # noqa: B018


def test_relaxing_draws_from_the_generator_only():
    network = UsersNetwork()
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    relax(network, generator())
    assert torch.equal(torch.get_rng_state(), state)
    again = relax(UsersNetwork(), generator())
    assert torch.equal(network.mix.companion.weight, again.mix.companion.weight)
    for name, value in project(network).state_dict().items():
        assert torch.equal(value, before[name])


def test_an_inactive_companion_is_not_run():
    network = UsersNetwork()
    expected = network(*inputs())
    relax(network, generator(), init=float("nan"))
    for layer in relaxed_layers(network).values():
        layer.active = False
    assert torch.equal(network(*inputs()), expected)


def test_several_inputs_and_outputs():
    class Update(nn.Module):
        representation_in = (scalars(2), vectors(1))
        representation_out = (scalars(3), vectors(2))

        def forward(self, x, v, factor):
            return factor * x.new_ones(len(x), 3), factor * v.expand(-1, -1, 2)

    layer = relax(Update(), generator(), init=1.0)
    x, v = torch.randn(4, 2), torch.randn(4, 3, 1)
    strict = layer.strict(x, v, 2.0)
    added = layer.companion(torch.cat([x, v.flatten(1)], 1))
    found = layer(x, v, factor=2.0)
    torch.testing.assert_close(found[0], strict[0] + added[:, :3])
    torch.testing.assert_close(found[1], strict[1] + added[:, 3:].view(4, 3, 2))


def test_an_e3nn_layer_with_a_channel_axis_is_left_alone():
    assert not relaxable_layers(o3.Linear("2x1o", "2x1o", f_in=4, f_out=4))
