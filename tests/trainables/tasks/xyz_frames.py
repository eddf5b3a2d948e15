"""Frames of water in extended XYZ, whose numbers identify the frame."""

import numpy as np
import pytest

from trainables.errors import BadInput
from trainables.tasks.sources.extended_xyz import read_extended_xyz
from trainables.tasks.sources.frames import Keys

COLUMNS = "species:S:1:pos:R:3:forces:R:3"


def frame(at, comment="energy={energy}", columns=COLUMNS):
    """One frame of water, identified by its numbers."""
    lines = [f"{symbol} {index} {at} 0.5 1 {index} -{at}.25" for index, symbol in enumerate("OHH")]
    comment = comment.format(energy=-2000 - at)
    return f"3\n{f'Properties={columns} ' if columns else ''}{comment}\n" + "".join(
        f"{line}\n" for line in lines
    )


def read_content(path, content, keys=Keys()):  # noqa: B008
    """The frames of a file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_extended_xyz(path, keys)


def refused(read, content, *parts, keys=Keys()):  # noqa: B008
    with pytest.raises(BadInput) as error:
        read(content, keys)
    message = str(error.value)
    assert "mine.xyz: " in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def check(frames, count=3, energy=1.0, length=1.0, force=1.0):
    """Assert that the frames are those that `frame` wrote, in these units."""
    at = np.arange(count)
    np.testing.assert_array_equal(frames.numbers, [8, 1, 1])
    np.testing.assert_allclose(frames.energies, energy * (-2000 - at))
    np.testing.assert_allclose(frames.positions[:, :, 1], length * np.broadcast_to(at[:, None], (count, 3)))
    np.testing.assert_allclose(frames.positions[:, :, 0], length * np.broadcast_to([0, 1, 2], (count, 3)))
    np.testing.assert_allclose(frames.forces[:, 0, 2], -force * (at + 0.25))
    np.testing.assert_allclose(frames.forces[:, :, 1], force * np.broadcast_to([0, 1, 2], (count, 3)))


WHOLE = "".join(frame(at) for at in range(3))
