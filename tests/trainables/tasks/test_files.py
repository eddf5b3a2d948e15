"""A missing file is named with the right way to get it."""

import pytest

from trainables.errors import BadInput
from trainables.registry import resolve
from trainables.tasks.files import check_files


@pytest.mark.parametrize(
    ("molecule", "remedy"),
    [
        ("ethanol", "fetch it with 'study data ethanol'"),
        ("md17_aspirin", "get it from quantum-machine.org/gdml/data/npz and put it there"),
        ("md17_salicylic", "get it from quantum-machine.org/gdml/data/npz and put it there"),
        ("rmd17_aspirin", "get it from doi.org/10.6084/m9.figshare.12672038 and put it there"),
        ("mine.xyz", "put it there or set another --data-dir"),
    ],
)
def test_missing_molecules(tmp_path, molecule, remedy):
    with pytest.raises(BadInput) as error:
        check_files(resolve("task", {"name": "forces", "molecule": molecule}), tmp_path)
    assert str(error.value).startswith(f"task.molecule: {tmp_path}")
    assert str(error.value).endswith(f" is missing; {remedy}")


def test_generated_clouds_need_no_path(tmp_path):
    check_files(resolve("task", {"name": "pointclouds"}), tmp_path)
    with pytest.raises(BadInput, match=r"task\.path: source 'solids' is generated"):
        check_files(resolve("task", {"name": "pointclouds", "path": "mine.npz"}), tmp_path)
