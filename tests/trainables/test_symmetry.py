"""Groups smaller than all rotations and translations: their elements, and how methods use them."""

import pytest
import torch

from trainables.methods.penalty_terms import Penalty
from trainables.methods.relaxed import Relaxed
from trainables.methods.unconstrained import Unconstrained
from trainables.relaxation.relaxed_layer import relaxed_layers
from trainables.symmetry import Symmetry, random_rotations, rotations_about

VERTICAL = Symmetry(inversion=False, translations="xz", axis="y")
WHOLE = Symmetry(inversion=True, translations=True)


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_rotations_about_an_axis_keep_it_and_are_right_handed(axis):
    symmetry = Symmetry(inversion=True, translations=False, axis=axis)
    (direction,) = symmetry.rotation_axes
    matrices = symmetry.random_rotations(200, generator())
    torch.testing.assert_close(matrices @ direction, direction.expand(200, 3))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(200).double())
    assert matrices.mean(0).diagonal().sum() == pytest.approx(1, abs=0.2)  # the plane averages to zero
    torch.testing.assert_close(symmetry.mirror @ direction, direction)
    assert torch.linalg.det(symmetry.mirror) == -1
    (quarter,) = rotations_about(axis, torch.tensor([torch.pi / 2]).double())
    first, second = torch.eye(3).double()[[("xyz".index(axis) + k) % 3 for k in (1, 2)]]
    torch.testing.assert_close(quarter @ first, second)


def test_translations_are_named():
    assert VERTICAL.translation_axes.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert len(WHOLE.translation_axes) == 3
    assert len(Symmetry(inversion=True, translations=False).translation_axes) == 0


def test_draws_from_the_whole_group_are_unchanged():
    assert WHOLE.random_rotations(3, generator()).equal(random_rotations(3, generator()))
    assert WHOLE.mirror.equal(-torch.eye(3).double())


def test_augmentation_stays_in_the_group():
    method = Unconstrained(inversion=True)
    method.symmetry = Symmetry(inversion=True, translations=False, axis="y")
    matrices = method.augmentation(100, generator())
    up = torch.tensor([0.0, 1.0, 0.0]).double()
    torch.testing.assert_close(matrices @ up, up.expand(100, 3))
    assert 30 < (torch.linalg.det(matrices) < 0).sum() < 70


@pytest.mark.parametrize("lie_form", ["averaged", "exact", "random"])
def test_penalties_permit_what_the_smaller_group_allows(lie_form, task, make_spec):
    """A companion that adds a constant map from scalars to the vertical breaks SO(3) but not SO(2)."""
    found = {}
    for name, symmetry in {
        "vertical": VERTICAL,
        "sideways": Symmetry(False, True, "x"),
        "whole": WHOLE,
    }.items():
        method = Relaxed(lie_form=lie_form, penalty=Penalty(norm=0, lie=1, parity=0))
        method.symmetry = symmetry
        found[name] = float(penalty_of_a_vertical_companion(method, task, make_spec))
    assert found["vertical"] == pytest.approx(0, abs=1e-12)
    assert found["sideways"] > 1e-6
    assert found["whole"] > 1e-6


def test_the_mirror_is_required_only_if_it_belongs_to_the_group(task, make_spec):
    found = []
    for symmetry in (VERTICAL, Symmetry(True, True, "y"), Symmetry(True, True, "x")):
        method = Relaxed(penalty=Penalty(norm=0, lie=0, parity=1))
        method.symmetry = symmetry
        penalty = penalty_of_a_vertical_companion(method, task, make_spec)
        found.append(0.0 if penalty is None else float(penalty))
    assert found[0] == 0
    assert found[1] == pytest.approx(0, abs=1e-12)
    assert found[2] > 1e-6  # mirrored through a horizontal plane


def penalty_of_a_vertical_companion(method, task, make_spec):
    from trainables.training.building import build_model

    model = method.relax(build_model(make_spec(), task, torch.float32), generator())
    for layer in relaxed_layers(model).values():
        weight = layer.companion.weight
        weight.data.zero_()
        height = len(weight) - 2  # outputs end with one vector: x, y, z
        weight.data[height, 0] = 1.0  # from a scalar
    method.begin_step(model, 50, 100)
    model(task.graph({key: value[:8] for key, value in task.splits["train"].items()}))
    penalty = method.penalty(model)
    return None if penalty is None else penalty.detach()
