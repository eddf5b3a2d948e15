"""Acclaim's text format: positions against closed forms, and mistakes that name file and frame."""

import numpy as np
import pytest

from trainables.errors import BadInput
from trainables.tasks.mocap import mocap
from trainables.tasks.sources.acclaim import positions, read_angles, read_skeleton, read_subject

SKELETON = """# two bones in a chain, and a third that is fixed to the root
:version 1.10
:name arm
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
  written for this test
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name upper
    direction 1 0 0
    length 2
    axis 0 0 0 XYZ
    dof rx ry rz
    limits (-180 180)
           (-180 180)
           (-180 180)
  end
  begin
    id 2
    name lower
    direction 0 -2 0
    length 3
    axis 0 90 0 XYZ
    dof rx
  end
  begin
    id 3
    name head
    direction 0 1 0
    length 1
    axis 10 20 30 XYZ
  end
:hierarchy
  begin
    root upper head
    upper lower
  end
"""
HEADER = "#!OML:ASF arm.asf\n:FULLY-SPECIFIED\n:DEGREES\n"


def frame(number, root=(0, 0, 0, 0, 0, 0), upper=(0, 0, 0), lower=0.0):
    return f"{number}\nroot {' '.join(map(str, root))}\nupper {' '.join(map(str, upper))}\nlower {lower}\n"


@pytest.fixture
def subject(tmp_path):
    """Writes a folder with the skeleton and recordings."""

    def write(*recordings, skeleton=SKELETON):
        (tmp_path / "arm.asf").write_text(skeleton)
        for index, text in enumerate(recordings):
            (tmp_path / f"arm_{index}.amc").write_text(HEADER + text)
        return tmp_path

    return write


def test_positions_match_their_closed_form(subject):
    angles = np.radians([30, 50, 70])
    folder = subject(
        frame(1)
        + frame(2, root=(1, 2, 3, 0, 0, 0))
        + frame(3, root=(0, 0, 0, 0, 90, 0))
        + frame(4, upper=(0, 0, 90))
        + frame(5, upper=(90, 0, 90))
        + frame(6, upper=(30, 50, 70))
        + frame(7, lower=90)
    )
    (found,) = read_subject(folder).sequences
    x, y, z = np.eye(3)
    rest = np.array([0 * x, 2 * x, 2 * x - 3 * y, y])
    np.testing.assert_allclose(found[0], rest, atol=1e-12)
    np.testing.assert_allclose(found[1], rest + np.array([1, 2, 3]), atol=1e-12)
    np.testing.assert_allclose(found[2], [0 * x, -2 * z, -2 * z - 3 * y, y], atol=1e-12)
    # A quarter turn about z: x becomes y, and the hanging bone (-y) points along x.
    np.testing.assert_allclose(found[3], [0 * x, 2 * y, 2 * y + 3 * x, y], atol=1e-12)
    # First about x, which leaves the first bone in place and turns -y to -z; then about z.
    np.testing.assert_allclose(found[4], [0 * x, 2 * y, 2 * y - 3 * z, y], atol=1e-12)
    cx, cy, cz = np.cos(angles)
    sx, sy, sz = np.sin(angles)
    end = 2 * np.array([cz * cy, sz * cy, -sy])
    hanging = -3 * np.array([cz * sy * sx - sz * cx, sz * sy * sx + cz * cx, cy * sx])
    np.testing.assert_allclose(found[5], [0 * x, end, end + hanging, y], atol=1e-12)
    # The lower bone's own x axis, after a quarter turn about y, is -z: about it -y turns to -x.
    np.testing.assert_allclose(found[6], [0 * x, 2 * x, 2 * x - 3 * x, y], atol=1e-12)


def test_links_are_the_bones(subject):
    assert read_subject(subject(frame(1))).links.tolist() == [[1, 0], [2, 1], [3, 0]]


def test_radians_are_read_as_such(subject):
    folder = subject(frame(1, upper=(0, 0, np.pi / 2)))
    (folder / "arm_0.amc").write_text((folder / "arm_0.amc").read_text().replace(":DEGREES", ":RADIANS"))
    bones, degrees = read_skeleton(folder / "arm.asf")
    ends = positions(bones, read_angles(folder / "arm_0.amc", bones, degrees))
    np.testing.assert_allclose(ends[0, 1], [0, 2, 0], atol=1e-12)


def test_a_subject_is_a_task(subject):
    walks = ["".join(frame(i + 1, root=(i, 0, seed * i, 0, i, 0)) for i in range(8)) for seed in range(4)]
    task = mocap(subject(*walks).parent, subject=subject().name, frames_ahead=2, train=4, val=3, test=3)
    split = task.splits["train"]
    assert split["positions"].shape == (4, 4, 3)
    way = (split["targets"] - split["positions"])[:, 0]
    np.testing.assert_allclose(way, 2 * split["velocities"][:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        (frame(1) + frame(3), r"arm_0\.amc: frame 2 is missing; frame 3 is in its place"),
        (
            frame(1) + frame(2).replace("lower", "lowr"),
            r"arm_0\.amc: frame 2: unknown joint 'lowr'; .*'lower'",
        ),
        (frame(1).replace("lower 0.0\n", "") + frame(2), r"arm_0\.amc: frame 1: joint 'lower' is missing"),
        (frame(1) + frame(2).replace("lower 0.0\n", ""), r"arm_0\.amc: frame 2: joint 'lower' is missing"),
        (frame(1, upper=(0, 0)), r"arm_0\.amc: frame 1: joint 'upper' needs 3 finite numbers"),
        (frame(1, lower="nan"), r"arm_0\.amc: frame 1: joint 'lower' needs 1 finite number"),
        (frame(1, lower="much"), r"arm_0\.amc: frame 1: joint 'lower' needs 1 finite number"),
        ("", r"arm_0\.amc: contains no frames"),
        ("upper 1 2 3\n", r"arm_0\.amc: 'upper' appears before frame 1"),
    ],
)
def test_mistakes_in_recordings_name_file_and_frame(subject, recording, message):
    with pytest.raises(BadInput, match=message):
        read_subject(subject(recording))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("upper lower", "upper lowr", r"arm\.asf: unknown joint 'lowr'"),
        ("upper lower", "", r"arm\.asf: joint 'lower' is not connected to the root"),
        ("length 3", "length long", r"arm\.asf: not a complete skeleton"),
        (":bonedata", ":bones", r"arm\.asf: not a complete skeleton"),
        ("dof rx\n", "dof rw\n", r"arm\.asf: not a complete skeleton.*'rw'"),
        ("axis 0 90 0 XYZ", "axis 0 90 0 XYY", r"arm\.asf: not a complete skeleton.*XYY"),
    ],
)
def test_mistakes_in_skeletons_name_the_file(subject, old, new, message):
    with pytest.raises(BadInput, match=message):
        read_subject(subject(frame(1), skeleton=SKELETON.replace(old, new)))


def test_a_folder_needs_one_skeleton(subject, tmp_path):
    with pytest.raises(BadInput, match=r"contains 0 \.asf and 0 \.amc files"):
        read_subject(tmp_path)
