"""A valid data file is read with its intended meaning, or refused; nothing is silently misread."""

import numpy as np
import pytest
from written_clouds import cloud_archive, mesh, read_clouds, read_mesh, read_shapes, shapes
from written_molecules import md17, read_molecules
from written_xyz import read_xyz, xyz_by_ase, xyz_by_hand

from trainables.errors import BadInput

EVERY_DAY, ALL = 10, 200
TOLERANCE = 1e-7  # relative: ase's constants are CODATA 2014
FORMATS = {
    "xyz by hand": (xyz_by_hand, read_xyz),
    "xyz by ase": (xyz_by_ase, read_xyz),
    "molecules": (md17, read_molecules),
    "clouds": (cloud_archive, read_clouds),
    "shapes": (shapes, read_shapes),
    "meshes": (mesh, read_mesh),
}
"""How a file is written, and how it is read as arrays by name."""


def check_file(name, seed, folder):
    """Write one random file and read it; returns whether it should be readable."""
    write, read = FORMATS[name]
    written = write(np.random.default_rng([seed, list(FORMATS).index(name)]), folder)
    if written.arrays is None:
        with pytest.raises(BadInput) as error:
            read(written)
        assert "\n" not in str(error.value)
        return False
    found = read(written)
    assert found.keys() == written.arrays.keys()
    for key, expected in written.arrays.items():
        message = f"{name} {seed}: {key}"
        assert found[key].shape == expected.shape, message
        np.testing.assert_allclose(found[key], expected, rtol=TOLERANCE, atol=written.atol, err_msg=message)
    return True


@pytest.mark.parametrize("name", FORMATS)
def test_a_few_files(name, tmp_path):
    read = [check_file(name, seed, tmp_path) for seed in range(EVERY_DAY)]
    assert any(read)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_files(name, tmp_path):
    read = [check_file(name, seed, tmp_path) for seed in range(ALL)]
    assert 0.3 * ALL < sum(read) < ALL
