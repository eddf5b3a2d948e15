import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainables.relaxation import penalties
from trainables.relaxation.action import generators, project_on_commutant, rotate
from trainables.relaxation.companions import FeedForwardCompanion, LinearCompanion, MLPCompanion
from trainables.relaxation.relaxed_layer import Call, RelaxedLayer
from trainables.relaxation.representation import irreps, scalars, vectors

CASES = {
    "vectors": ((vectors(3),), (vectors(4),)),
    "irreps": ((irreps("4x0e+2x1o+1x2e"),), (irreps("2x0e+1x1o+1x1e+1x2e"),)),
    "several": ((scalars(3), scalars(2), vectors(2)), (scalars(3), vectors(1))),
    "rotations only": ((vectors(3, "SO3"),), (vectors(2, "SO3"),)),
}


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def relaxed(inputs, outputs, kind=LinearCompanion, init=1.0, seed=0):
    dims = [sum(part.dim for part in parts) for parts in (inputs, outputs)]
    companion = kind(*dims, init, torch.Generator().manual_seed(seed + 1000))  # not the stream of the inputs
    return RelaxedLayer("layer", nn.Identity(), companion.double(), torch.ones(()), inputs, outputs)


def call(layer, rows, seed=0):
    dim = sum(part.dim for part in layer.inputs)
    x = torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
    return Call(x, layer.companion)


def finite_difference(layer, x):
    """Mean square derivative of rho_out(exp(-tA)) g(rho_in(exp(tA)) x), summed over the generators."""
    step, total = 1e-4, 0.0
    for generator in generators(1, torch.float64, torch.device("cpu")):
        there, back = torch.matrix_exp(step * generator), torch.matrix_exp(-step * generator)

        def along(g, inverse):
            return rotate(layer.outputs, layer.companion(rotate(layer.inputs, x, g)), inverse)

        total += ((along(there, back) - along(back, there)) / (2 * step)).square().mean()
    return total


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", [LinearCompanion, FeedForwardCompanion, MLPCompanion])
@pytest.mark.parametrize("rows", [2, 300])
def test_lie_is_the_finite_difference_derivative(name, kind, rows):
    layer = relaxed(*CASES[name], kind)
    made = call(layer, rows)
    torch.testing.assert_close(
        penalties.lie(layer, made), finite_difference(layer, made.inputs), rtol=1e-6, atol=1e-10
    )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rows", [2, 300])
def test_an_exactly_equivariant_map_is_penalized_for_its_norm_alone(name, rows):
    layer = relaxed(*CASES[name])
    nearest = project_on_commutant(layer.inputs, layer.outputs, layer.companion.weight.detach())
    layer.companion.weight = nn.Parameter(nearest)
    made = call(layer, rows)
    size = penalties.norm(layer, made)
    assert size > 0
    assert penalties.lie(layer, made) <= 1e-12 * size
    parity = penalties.parity(layer, made)
    assert parity is None if name == "rotations only" else parity <= 1e-12 * size


@pytest.mark.parametrize("rows", [2, 300])
def test_a_parity_mixer_is_penalized_by_the_parity_term_alone(rows):
    inputs, outputs = (irreps("2x0e+1x1o"),), (irreps("2x0o+1x1e"),)
    layer = relaxed(inputs, outputs)
    identity_on_components = torch.zeros(5, 5)
    identity_on_components[:2, :2] = torch.randn(2, 2)
    identity_on_components[2:, 2:] = 0.7 * torch.eye(3)
    layer.companion.weight = nn.Parameter(identity_on_components)
    made = call(layer, rows)
    assert penalties.lie(layer, made) <= 1e-24
    torch.testing.assert_close(penalties.parity(layer, made), 4 * penalties.norm(layer, made))


@pytest.mark.parametrize("kind", [LinearCompanion, FeedForwardCompanion, MLPCompanion])
@pytest.mark.parametrize("rows", [2, 300])
def test_parity_by_hand(kind, rows):
    layer = relaxed(*CASES["irreps"], kind)
    made = call(layer, rows)
    inverted = rotate(layer.inputs, made.inputs, -torch.eye(3))
    difference = layer.companion(inverted) - rotate(layer.outputs, made.outputs, -torch.eye(3))
    torch.testing.assert_close(penalties.parity(layer, made), difference.square().mean())


def test_the_parity_term_of_a_mirror():
    layer = relaxed(*CASES["irreps"])
    made, mirror = call(layer, 20), torch.diag(torch.tensor([1.0, -1.0, 1.0]))
    image = layer.companion(rotate(layer.inputs, made.inputs, mirror))
    difference = image - rotate(layer.outputs, layer.companion(made.inputs), mirror)
    found = penalties.parity(layer, made, penalties.mirrored(mirror))
    torch.testing.assert_close(found, difference.square().mean())


@pytest.mark.parametrize("kind", [FeedForwardCompanion, MLPCompanion])
def test_all_terms_of_a_network_in_one_pass(kind):
    layer = relaxed(*CASES["irreps"], kind)
    made, mirror = call(layer, 20), torch.diag(torch.tensor([1.0, -1.0, 1.0]))
    direction = penalties.random_direction(3)
    terms = penalties.of_network(layer, made, direction, penalties.mirrored(mirror))
    torch.testing.assert_close(terms["norm"], layer.companion(made.inputs).square().mean())
    torch.testing.assert_close(terms["lie"], penalties.lie(layer, made, direction))
    image = layer.companion(rotate(layer.inputs, made.inputs, mirror))
    difference = image - rotate(layer.outputs, layer.companion(made.inputs), mirror)
    torch.testing.assert_close(terms["parity"], difference.square().mean())
    assert list(penalties.of_network(layer, made, None, None)) == ["norm"]


@pytest.mark.parametrize("name", CASES)
def test_values_do_not_depend_on_the_number_of_rows(name):
    layer = relaxed(*CASES[name])
    rows = torch.randn(10, call(layer, 1).inputs.shape[1])

    def values(x):
        made = Call(x, layer.companion)
        terms = [penalties.norm(layer, made), penalties.lie(layer, made), penalties.parity(layer, made)]
        return torch.stack([term for term in terms if term is not None])

    torch.testing.assert_close(values(rows), values(rows.repeat(100, 1)), rtol=1e-12, atol=0)


def test_values_of_ten_and_a_thousand_random_rows_agree():
    layer = relaxed((vectors(64),), (vectors(64),))
    for penalty in (penalties.norm, penalties.lie, penalties.parity):
        few, many = (penalty(layer, call(layer, rows)).item() for rows in (10, 1000))
        assert few == pytest.approx(many, rel=0.05)


@pytest.mark.parametrize("penalty", [penalties.norm, penalties.lie])
def test_values_do_not_depend_on_the_width(penalty):
    # Entries of W with variance 1 / d_in give outputs of the same size at each width.
    narrow, wide = (relaxed((vectors(n),), (vectors(n),), init=(3 * n) ** -0.5) for n in (60, 240))
    small, large = (penalty(layer, call(layer, 200)).item() for layer in (narrow, wide))
    assert small == pytest.approx(large, rel=0.1)


@pytest.mark.parametrize("rows", [2, 300])
def test_a_companion_at_zero_has_finite_gradients(rows):
    layer = relaxed(*CASES["irreps"], init=0.0)
    made = call(layer, rows)
    total = penalties.norm(layer, made) + penalties.lie(layer, made) + penalties.parity(layer, made)
    (gradient,) = torch.autograd.grad(total, layer.companion.weight)
    assert total == 0
    assert gradient.isfinite().all()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(CASES)), st.integers(1, 40), st.integers(0, 10**6))
def test_both_exact_forms_agree_in_value_and_gradient(name, rows, seed):
    layer = relaxed(*CASES[name], seed=seed)
    made = call(layer, rows, seed)
    maps = penalties.commutators(layer.companion.weight, layer.inputs, layer.outputs, penalties.AXES)
    by_gram = penalties.mean_square(maps, made.inputs)
    by_rotation = penalties.lie_by_rotation(layer, made, penalties.AXES)
    torch.testing.assert_close(by_gram, by_rotation)
    gradients = [torch.autograd.grad(term, layer.companion.weight)[0] for term in (by_gram, by_rotation)]
    torch.testing.assert_close(*gradients)


def test_the_form_follows_the_shapes():
    layer = relaxed((vectors(682),), (vectors(341),), init=0.0)
    for rows, gram in ((600, False), (9600, True)):
        made = Call(torch.empty(1, 1).expand(rows, 2046), layer.companion)
        assert penalties.gram_is_cheaper(layer, made, 3) == gram


def test_random_generators_are_unbiased():
    layer = relaxed(*CASES["several"])
    made = call(layer, 4)
    values = torch.stack(
        [penalties.lie(layer, made, penalties.random_direction(seed)) for seed in range(2000)]
    ).detach()
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - penalties.lie(layer, made)) < 4 * error


@pytest.mark.parametrize("rows", [3, 10, 72])
@pytest.mark.parametrize("term", [penalties.norm, penalties.lie, penalties.parity])
def test_the_mean_over_all_samples_is_the_term_over_all_rows(rows, term):
    layer = relaxed(*CASES["irreps"], FeedForwardCompanion)
    made = call(layer, rows)
    samples = [penalties.sample(made, offset) for offset in range(penalties.STRIDE)]
    values = torch.stack([factor * term(layer, part) for part, factor in samples])
    torch.testing.assert_close(values.mean(), term(layer, made))
    assert (values.std() > 0) == (rows >= penalties.STRIDE)


def test_offsets_are_uniform_and_independent_of_the_directions():
    offsets = torch.tensor([penalties.random_offset(seed) for seed in range(2000)])
    assert (offsets.bincount(minlength=penalties.STRIDE) - 500).abs().max() < 100  # 5 standard deviations
    directions = torch.cat([penalties.random_direction(seed) for seed in range(2000)])
    for offset in range(penalties.STRIDE):
        mean = directions[offsets == offset].square().mean(0)
        assert (mean - 1).abs().max() < 5 * 0.9 / (offsets == offset).sum() ** 0.5


def test_penalties_train_the_companion_only():
    layer = relaxed(*CASES["vectors"])
    layer.train()
    layer.recording = True
    x = torch.randn(5, 3, 3, requires_grad=True)
    layer.strict = nn.Linear(3, 4)
    layer(x)
    (made,) = layer.calls
    total = penalties.norm(layer, made) + penalties.lie(layer, made)
    total.backward()
    assert x.grad is None
    assert layer.strict.weight.grad is None
    assert layer.companion.weight.grad.abs().sum() > 0
