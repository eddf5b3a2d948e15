"""A valid data file is read for what it means, or refused; nothing is read as something else without a word."""

import numpy as np
import pytest
from data_files import FORMATS, TOLERANCE

from trainables.errors import BadInput

EVERY_DAY, ALL = 10, 200


def check_file(name, seed, folder):
    """Write one random file and read it; returns whether it was one to be read."""
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
