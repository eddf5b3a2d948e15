"""Errors that would break every trial are found before the first, and reported in one line with the arm."""

import sys
from dataclasses import replace

import pytest
import torch
from tests_support import CONTENT, changed
from tests_support import study as study_here

from study.config import presets, resolve_config
from study.plan import plan
from study.rehearsal.check import check_trials
from trainables.errors import BadInput
from trainables.tasks.displacements import Displacements

NETWORKS = """
import torch
from e3nn import o3
from trainables.models.egnn import EGNN

class Net(torch.nn.Module):
    def __init__(self, signature, *, width: int = 4):
        super().__init__()
        if width > 100:
            raise ValueError("too wide")
        self.mix, self.out = o3.Linear("1x1o", f"{width}x1o"), o3.Linear(f"{width}x1o", "1x1o")

    def forward(self, graph):
        return self.out(self.mix(graph.vectors[:, 0]))

class Float32(Net):
    def forward(self, graph):
        return self.out(self.mix(graph.vectors[:, 0].float()))

class Numpy(Net):
    def forward(self, graph):
        return self.out(self.mix(torch.from_numpy(graph.vectors[:, 0].numpy().astype("float32"))))

class WrongShape(Net):
    def forward(self, graph):
        return self.mix(graph.vectors[:, 0])

class Raises(Net):
    def forward(self, graph):
        return helper(graph)

def helper(graph):
    raise KeyError("charge")

class Exits(Net):
    def forward(self, graph):
        raise SystemExit(3)

class Plain(torch.nn.Module):
    def __init__(self, signature):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
    def forward(self, graph):
        return self.weight * graph.vectors[:, 0]

class Hidden(Net):
    def __init__(self, signature):
        super().__init__(signature)
        self.calls = [self.mix, self.out]
    def forward(self, graph):
        return self.calls[1](self.calls[0](graph.vectors[:, 0]))

class Skewed(Net):
    def forward(self, graph):
        return super().forward(graph) + torch.tensor([1.0, 0.0, 0.0])

class NoGradient(Net):
    def forward(self, graph):
        return super().forward(graph).detach()
"""


@pytest.fixture
def networks(tmp_path, monkeypatch):
    (tmp_path / "networks_under_test.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))
    return tmp_path


def with_model(name, **options):
    return changed("model", {"name": f"networks_under_test:{name}", **options})


def facts_of(content, folder):
    return check_trials(plan(resolve_config(content)), str(folder / "data"))


def test_a_sound_study_gives_the_facts_of_each_arm(tmp_path):
    strict, triangle = facts_of(CONTENT, tmp_path)
    assert (strict.arm, triangle.arm) == ("strict", "triangle")
    assert strict.error < 1e-12
    assert strict.added == 0
    assert strict.layers == []
    assert strict.strict == triangle.strict > 100
    assert triangle.layers == ["layers.0.update", "layers.1.update"]
    assert triangle.added > 0
    assert strict.warnings == triangle.warnings == []
    assert "2 relaxed layers add" in triangle.lines()[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "Float32",
            [
                "arms.strict: measuring the network's equivariance in float64",
                "networks_under_test.py:",
                "in forward",
            ],
        ),
        ("Numpy", ["arms.strict: ", "float64"]),
        ("WrongShape", ["arms.strict: "]),
        ("Raises", ["arms.strict: ", "KeyError: 'charge'", "in helper, called by networks_under_test.py:"]),
        ("Exits", ["arms.strict: ", "SystemExit: 3"]),
        ("NoGradient", ["arms.strict: a training step", "does not require grad"]),
        ("Plain", ["arms.triangle: layers: Plain has no relaxable layer"]),
        ("Hidden", ["arms.triangle: model: relaxed layers that are never called: mix, out"]),
    ],
)
def test_an_error_is_reported_in_one_line_with_the_arm(networks, name, words):
    with pytest.raises(BadInput) as caught:
        facts_of(with_model(name), networks)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    for word in words:
        assert word in message


def test_every_value_of_a_model_axis_is_built(networks):
    content = with_model("Net")
    content["grid"]["model.width"] = [4, 8, 101]
    with pytest.raises(BadInput, match=r"arms\.strict: building the network failed: ValueError: too wide"):
        facts_of(content, networks)


def test_every_value_of_an_axis_of_an_arm_is_tried(networks):
    content = with_model("Net")
    content["grid"]["arms.triangle.layers"] = [["mix"], ["nowhere*"]]
    with pytest.raises(BadInput, match=r"arms\.triangle: layers: 'nowhere\*' matches none"):
        facts_of(content, networks)


def test_a_network_that_is_not_equivariant_and_one_that_grows_are_named(networks):
    strict, _ = facts_of(with_model("Skewed"), networks)
    assert any("not equivariant" in line for line in strict.warnings)
    _, triangle = facts_of(with_model("Net", width=4), networks)
    assert triangle.strict == 8
    assert triangle.added == 2 * 3 * 12 == 72
    assert any("makes the model 10.0 times as large" in line for line in triangle.warnings)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"name": "forces", "molecule": "a.xyz", "train": 5, "val": 5, "test": 5}, "energy"),
        ({"name": "forces", "molecule": "b.xyz", "train": 50, "val": 5, "test": 5}, "fewer"),
        ({"name": "forces", "molecule": "c.xyz"}, r"c\.xyz"),
    ],
)
def test_unusable_data_are_reported_in_one_line(networks, task, words):
    atoms = "2\n{}\nH 0 0 0 0 0 1\nH 0 0 {} 0 0 -1\n"
    header = 'Properties=species:S:1:pos:R:3:forces:R:3 {}="-1.0"'
    (networks / "data").mkdir()
    for name, key in (("a", "ENERGIE"), ("b", "energy")):
        frames = [atoms.format(header.format(key), 0.7 + at / 100) for at in range(20)]
        (networks / "data" / f"{name}.xyz").write_text("".join(frames))
    with pytest.raises(BadInput, match=words) as caught:
        facts_of(changed("task", task), networks)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("task")


def test_run_refuses_what_the_check_finds_and_leaves_nothing(networks, monkeypatch):
    import yaml

    monkeypatch.chdir(networks)
    (networks / "study.yaml").write_text(yaml.safe_dump(with_model("Float32")))
    for command in (["run", "study.yaml", "--results", "results/here"], ["check", "study.yaml"]):
        finished = study_here(*command)
        assert finished.returncode == 2
        assert finished.stderr.startswith(
            "study: arms.strict: measuring the network's equivariance in float64"
        )
        assert len(finished.stderr.splitlines()) == 1
    assert not (networks / "results").exists()


def test_a_model_alone_can_be_checked(networks):
    finished = study_here("check", "networks_under_test:Net", "--set", "model.width=6")
    assert finished.returncode == 0, finished.stderr
    assert "arms.strict: networks_under_test:Net with 12 parameters" in finished.stdout
    assert "arms.relaxed: " in finished.stdout
    refused = study_here("check", "networks_under_test:Float32")
    assert refused.returncode == 2
    assert "float64" in refused.stderr
    assert study_here("check", "networks_under_test:Nowhere").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", presets())
def test_each_preset_is_checked_within_twenty_seconds(name, tmp_path):
    import time

    from study.config import load_config

    before = time.process_time()
    try:
        check_trials(plan(load_config(name)), str(tmp_path))
    except BadInput as error:
        assert str(error).startswith("task")  # noqa: PT017 - data sets that are missing here
    assert time.process_time() - before < 20


def test_compilation_without_a_compiler_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadInput, match=r"^training\.compile: .*'no-such-compiler'.*CXX"):
        facts_of(changed("training/compile", True), tmp_path)
    monkeypatch.setenv("CXX", sys.executable)
    assert facts_of(changed("training/compile", True), tmp_path)
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert facts_of(CONTENT, tmp_path)


def predict_with_slope(self, model, graph):
    """A prediction for n-body that contains a derivative of the network."""
    training = torch.is_grad_enabled()
    with torch.enable_grad():
        positions = graph.positions.detach().requires_grad_()
        output = model(replace(graph, positions=positions))
        (slope,) = torch.autograd.grad(output.sum(), positions, create_graph=training)
    return {"positions": (graph.positions + output + slope).unflatten(0, (graph.graphs, -1))}


@pytest.mark.parametrize(
    ("says_so", "words"),
    [(True, "training.compile: this task differentiates"), (False, "double backward")],
    ids=["announced", "found by tracing"],
)
def test_a_compiled_derivative_is_refused_in_one_line(tmp_path, monkeypatch, says_so, words):
    monkeypatch.setattr(Displacements, "predict", predict_with_slope)
    monkeypatch.setattr(Displacements, "differentiates_model", says_so)
    assert facts_of(CONTENT, tmp_path)
    with pytest.raises(BadInput, match=f"^arms.strict: .*{words}") as caught:
        facts_of(changed("training/compile", True), tmp_path)
    assert "\n" not in str(caught.value)
