import warnings

import pytest
import torch
from e3nn import o3
from torch import nn

from trainables.errors import BadInput
from trainables.relaxation.relax import relax
from trainables.relaxation.summary import growth_warning, summary, uncalled_layers
from trainables.training.loop import run_trial


class Base(nn.Module):
    """A network for the n-body task, whose layers a subclass calls in its own way."""

    def __init__(self, signature, *, width: int = 4):
        super().__init__()
        self.mix, self.out = o3.Linear("2x1o", f"{width}x1o"), o3.Linear(f"{width}x1o", "1x1o")
        self.prepare()

    def prepare(self):
        pass

    def forward(self, graph):
        return self.call(torch.cat([graph.vectors[:, 0], graph.positions], 1))

    def call(self, x):
        return self.out(self.mix(x))


class Straight(Base):
    pass


class Listed(Base):
    def prepare(self):
        self.steps = [self.mix, self.out]

    def call(self, x):
        for step in self.steps:
            x = step(x)
        return x


class Compiled(Base):
    def prepare(self):
        self.mix = torch.compile(self.mix, backend="eager")

    def call(self, x):
        return self.out(self.mix(x))


class Helper:
    def __init__(self, layer):
        self.layer = layer


class Helped(Base):
    def prepare(self):
        self.helper = Helper(self.out)

    def call(self, x):
        return self.helper.layer(self.mix(x))


METHODS = [{"name": "relaxed"}, {"name": "ace"}, {"name": "unconstrained"}]


def trial(make_spec, task, model, method, **training):
    spec = make_spec(method, model={"name": f"{__name__}:{model.__name__}"}, epochs=2, **training)
    return run_trial(spec, task, torch.device("cpu"))[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["name"])
@pytest.mark.parametrize(
    ("model", "named"), [(Listed, "mix, out"), (Compiled, r"mix\._orig_mod"), (Helped, "out")]
)
def test_layers_that_are_never_called_are_named(make_spec, task, model, named, method):
    with pytest.raises(BadInput, match=rf"never called: {named};"):
        trial(make_spec, task, model, method)


@pytest.mark.parametrize("method", [{"name": "strict"}, *METHODS], ids=lambda method: method["name"])
def test_the_record_says_how_many_layers_were_relaxed(make_spec, task, method):
    record = trial(make_spec, task, Straight, method)
    assert record.relaxed_layers == (0 if method["name"] == "strict" else 2)


def test_a_strict_trial_may_call_its_layers_as_it_likes(make_spec, task):
    assert trial(make_spec, task, Listed, {"name": "strict"}).relaxed_layers == 0


def test_a_layer_counts_as_called_with_or_without_its_companion():
    model = relax(nn.Sequential(o3.Linear("2x1o", "2x1o"), o3.Linear("2x1o", "1x1o")), show=None)
    assert uncalled_layers(model) == ["0", "1"]
    model[0].set_strength(0.0)
    model[0](torch.randn(3, 6))
    assert uncalled_layers(model) == ["1"]


@pytest.mark.parametrize("layers", ["default", ["*"]])
@pytest.mark.parametrize("name", ["egnn", "segnn", "se3_transformer", "equiformer"])
def test_the_layers_of_our_networks_are_all_called(make_spec, task, name, layers):
    small = {"egnn": "hidden", "segnn": "hidden", "se3_transformer": "channels", "equiformer": "channels"}
    model = {"name": name, small[name]: 4, "layers": 1}
    spec = make_spec({"name": "relaxed", "layers": layers}, model=model, epochs=1)
    assert run_trial(spec, task, torch.device("cpu"))[0].relaxed_layers > 0


def test_the_summary_lists_each_layer_with_the_parameters_it_adds(capsys):
    relax(nn.Sequential(o3.Linear("2x1o", "2x1o"), o3.Linear("2x1o", "1x1o")))
    assert capsys.readouterr().out.splitlines() == [
        "2 relaxed layers add 54 parameters to 6:",
        "  0 (Linear): 36",
        "  1 (Linear): 18",
    ]


def test_a_trained_scale_counts_as_an_added_parameter():
    model = relax(nn.Sequential(o3.Linear("2x1o", "2x1o")), trained_scale=True, show=None)
    assert summary(model).splitlines()[0] == "1 relaxed layers add 37 parameters to 4:"


def test_growth_beyond_threefold_gives_a_warning_and_less_does_not():
    with pytest.warns(UserWarning, match=r"10\.0 times as large, most of it in layer '0' \(36 parameters\)"):
        relax(nn.Sequential(o3.Linear("2x1o", "2x1o")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = relax(nn.Sequential(o3.Linear("2x1o", "2x1o"), nn.Linear(100, 1)))
    assert growth_warning(model) is None


def test_without_a_generator_torchs_default_is_used():
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        model = nn.Sequential(o3.Linear("2x1o", "2x1o"))
        drawn.append(relax(model, show=None)[0].companion.weight)
    assert torch.equal(*drawn)
