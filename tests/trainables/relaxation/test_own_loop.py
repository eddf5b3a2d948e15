import pytest
import torch
from e3nn import o3
from torch import nn

from trainables.errors import BadInput
from trainables.relaxation import Relaxation, relaxed_layers, theta
from trainables.relaxation.action import rotate
from trainables.relaxation.representation import irreps


def network():
    torch.manual_seed(0)
    return nn.Sequential(o3.Linear("2x1o", "8x1o"), o3.Linear("8x1o", "1x1o"))


def train(relaxation, steps, generator):
    """Train on noise; returns theta in each step, and whether its penalty was above 0."""
    optimizer = torch.optim.SGD(relaxation.model.parameters(), 1e-2)
    seen = []
    for _ in range(steps):
        relaxation.step()
        x = torch.randn(16, 6, generator=generator)
        loss = (relaxation.model(x) - x[:, :3] * x[:, 3:]).square().mean()
        penalty = relaxation.penalty()
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        seen.append((relaxation.theta, penalty.item() > 0))
    return seen


def test_theta_follows_its_schedule_and_the_model_is_strict_at_the_end():
    strict = network()
    keys = list(strict.state_dict())
    relaxation = Relaxation(strict, steps=20, strict_phase=0.2, init=0.1, show=None)
    assert len(relaxed_layers(relaxation.model)) == 2
    seen = train(relaxation, 20, torch.Generator().manual_seed(1))
    expected = [theta("triangle", step, 16) for step in range(20)]
    assert [strength for strength, _ in seen] == expected
    assert [penalized for _, penalized in seen] == [strength > 0 for strength in expected]
    assert not relaxed_layers(relaxation.model)
    delivered = relaxation.finish().double()
    assert list(delivered.state_dict()) == keys
    x, matrix = torch.randn(5, 6).double(), o3.rand_matrix().double()
    moved = delivered(rotate((irreps("2x1o"),), x, matrix))
    torch.testing.assert_close(moved, rotate((irreps("1x1o"),), delivered(x), matrix), rtol=1e-4, atol=1e-5)


def test_finish_projects_a_training_that_has_no_strict_phase():
    relaxation = Relaxation(network(), steps=4, strict_phase=0.0, show=None)
    train(relaxation, 4, torch.Generator())
    assert relaxed_layers(relaxation.model)
    assert not relaxed_layers(relaxation.finish())
    assert relaxation.finish() is relaxation.model


def test_statistics_restart_with_the_strict_phase():
    strict = nn.Sequential(o3.Linear("6x0e", "6x0e"), nn.BatchNorm1d(6), nn.Linear(6, 3))
    relaxation = Relaxation(strict, steps=10, strict_phase=0.1, show=None)
    train(relaxation, 10, torch.Generator())
    assert relaxation.model[1].num_batches_tracked == 1


def test_there_is_no_penalty_if_its_weight_is_0():
    relaxation = Relaxation(network(), steps=10, penalty=0.0, show=None)
    assert not any(penalized for _, penalized in train(relaxation, 10, torch.Generator()))


def test_other_companions_are_penalized_too():
    relaxation = Relaxation(network(), steps=10, companion="mlp", show=None)
    assert any(penalized for _, penalized in train(relaxation, 10, torch.Generator()))


class Bypassed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = o3.Linear("2x1o", "1x1o")
        self.kept = [self.layer]

    def forward(self, x):
        return self.kept[0](x)


def test_a_layer_that_is_never_called_is_named_at_the_second_step():
    relaxation = Relaxation(Bypassed(), steps=10, show=None)
    relaxation.step()
    relaxation.model(torch.randn(3, 6))
    with pytest.raises(BadInput, match="never called: layer;"):
        relaxation.step()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"schedule": "triangel", "steps": 5}, "schedule: .*did you mean 'triangle'"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"steps": 5, "penalty": -1.0}, "penalty 0 or more"),
        ({"steps": 5, "strict_phase": 1.0}, r"strict_phase in \[0, 1\)"),
    ],
)
def test_options_out_of_range_are_named(options, named):
    with pytest.raises(BadInput, match=named):
        Relaxation(network(), **options)
