"""OFF as programs write it: every face is read whatever follows it, or the file is refused by name."""

import numpy as np
import pytest

from trainables.errors import BadInput
from trainables.tasks.sources.off_mesh import read_off

VERTICES = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1.5)]
FACES = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]


def off(header="OFF\n4 4 6", vertex="", face="", faces=FACES, line="\n"):
    """A tetrahedron; `vertex` and `face` are appended to each vertex and face."""
    rows = [header]
    rows += [" ".join(map(str, point)) + vertex for point in VERTICES]
    rows += [" ".join(map(str, (len(corners), *corners))) + face for corners in faces]
    return line.join(rows) + line


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "mesh.off"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_off(path)

    return read


@pytest.mark.parametrize(
    "content",
    [
        off(),
        off("OFF 4 4 6"),
        off("OFF4 4 6"),
        off("off\n4 4"),
        off("# made by hand\n\nOFF # a tetrahedron\n# counts\n4 4 0 # no edges"),
        off(line="\r\n"),
        off(line="\r"),
        off(line="\n\n"),
        off().rstrip("\n"),
        "\ufeff" + off(),
        off().replace("OFF\n", "OFF # Schütt\n").encode("latin-1"),
        off(face=" 0"),
        off(face=" 255 255 255"),
        off(face=" 255 0 0 255"),
        off(face=" 0.5 0.25 1.0 1.0"),
        off(face="   # a face"),
        off(vertex=" 255 0 0 255"),
        off("COFF\n4 4 6", vertex=" 1.0 0.5 0 1"),
        off("NOFF\n4 4 6", vertex=" 0 0 1"),
        off("CNOFF\n4 4 6", vertex=" 0 0 1 0.1 0.2 0.3 1", face=" 3"),
        off("STCNOFF 4 4 6", vertex=" 0 0 1 0.1 0.2 0.3 1 0 0"),
        off("OFF\n4 6 6", faces=[*FACES, (0,), (2, 1)]),
        off(line=" "),
        off().replace("1 0 0\n", "1\n0 0\n"),
    ],
)
def test_a_tetrahedron_however_it_is_written(read, content):
    vertices, triangles = read(content)
    np.testing.assert_array_equal(vertices, VERTICES)
    np.testing.assert_array_equal(triangles, FACES)


@pytest.mark.parametrize("face", ["", " 7", " 9 9 9", " 0.1 0.2 0.3 1"])
def test_polygons_are_cut_into_fans(read, face):
    _, triangles = read(off("OFF\n4 3 0", faces=[(0, 2, 1), (0, 1, 2, 3), (3, 1, 0)], face=face))
    np.testing.assert_array_equal(triangles, [(0, 2, 1), (0, 1, 2), (0, 2, 3), (3, 1, 0)])


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (off("4OFF\n4 4 6", vertex=" 1"), "'4OFF' has points that do not have three coordinates"),
        (off("nOFF\n3\n4 4 6"), "'nOFF' has points"),
        (off("OFF BINARY\n4 4 6"), "'OFF BINARY' is not supported"),
        (off("PLY\n4 4 6"), "does not begin with OFF"),
        (off("OFF\n4 4 6") + "0 1\n", "line 11: more than the 4 vertices and 4 faces"),
        (off("OFF\n4 3 6"), "line 10: more than the 4 vertices and 3 faces"),
        (off("OFF\n4 5 6"), "the last face is incomplete"),
        (off("OFF\n5 4 6"), ""),
        (off("OFF\nfour 4 6"), "line 2: 'four' is not a count"),
        (off("OFF\n4"), "line 2: '' is not a count"),
        (off("OFF\n-4 4 6"), "line 2: '-4' is not a count"),
        (off(faces=[*FACES[:3], (1, 2, 4)]), "line 10: a face refers to vertex 4 of 4"),
        (off(faces=[*FACES[:3], (1, 2, -1)]), "line 10: '-1' is not a count"),
        (off(faces=[*FACES[:3], (1, 2, 2.5)]), "line 10: '2.5' is not a count"),
        (off(vertex="_0"), "line 3: "),
        (off().replace("1.5", "high"), "line 6: 'high' is not a number"),
        (off(face=" 0", line=" "), "numbers more than its vertices and faces"),
        (off("COFF\n4 4 6", vertex=" 1 1 1 1", line=" "), "COFF"),
        ("OFF\n", "contains no counts"),
        (b"\x00\x01\x02", "does not begin with OFF"),
    ],
)
def test_invalid_meshes_are_refused(read, content, part):
    with pytest.raises(BadInput) as error:
        read(content)
    assert "mesh.off: not an OFF mesh" in str(error.value)
    assert part in str(error.value)
    assert "\n" not in str(error.value)
