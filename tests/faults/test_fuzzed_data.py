"""Whatever a data file contains, reading gives consistent arrays or BadInput, in little time and memory."""

import contextlib
import io
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutation import damaged

from trainables.errors import BadInput
from trainables.tasks.sources.cloud_archive import read_archive
from trainables.tasks.sources.extended_xyz import read_extended_xyz
from trainables.tasks.sources.frames import check_frames
from trainables.tasks.sources.md17 import read_md17
from trainables.tasks.sources.modelnet_hdf5 import read_modelnet
from trainables.tasks.sources.modelnet_mesh import read_off, sample_surface

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(4, 16, 3)).astype(np.float32)
LABELS = np.arange(4)
FRAMES = {"z": np.array([8, 1]), "R": POINTS[:, :2], "E": POINTS[:, 0, 0], "F": POINTS[:, 2:4]}
XYZ = (
    3
    * '2\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="F F F"\nO 0 0 0 0 0 1\nH 0 0 1 0 0 -1\n'
)
OFF = "OFF\n4 3 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n4 0 2 3 1\n"
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
ANYTHING = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


def archive(**arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def hdf5(**arrays):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")
    return content.getvalue()


def read_clouds(path):
    clouds = read_archive(path, 8, 0)
    assert clouds.pool.points.shape == (len(clouds.pool), 8, 3)
    assert np.isfinite(clouds.pool.points).all()


def read_frames(read):
    def read_and_check(path):
        frames = read(path)
        check_frames(frames, path)
        assert frames.positions.shape == frames.forces.shape == (len(frames), len(frames.numbers), 3)

    return read_and_check


def read_shapes(path):
    for part in ("train", "test"):
        (path.parent / f"ply_data_{part}.h5").write_bytes(path.read_bytes())
    collection = read_modelnet(path.parent, 8, 0)
    assert collection.pool.points.shape == (len(collection.pool), 8, 3)


def read_mesh(path):
    points = sample_surface(*read_off(path), 8, path, np.random.default_rng(0))
    assert np.isfinite(points).all()


FILES = {
    "clouds.npz": (archive(points=POINTS, label=LABELS), read_clouds, ("numpy/lib", "zipfile", "sources/")),
    "md17.npz": (archive(**FRAMES), read_frames(read_md17), ("numpy/lib", "zipfile", "sources/")),
    "frames.xyz": (XYZ.encode(), read_frames(read_extended_xyz), ("sources/",)),
    "shapes.hdf5": (hdf5(data=POINTS, label=LABELS), read_shapes, ("h5py", "sources/")),
    "mesh.off": (OFF.encode(), read_mesh, ("sources/",)),
}
each_file = pytest.mark.parametrize("name", FILES)


def read_or_refuse(path, content, read):
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        read(path)


@each_file
def test_the_files_are_good_before_they_are_damaged(name, tmp_path):
    whole, read, _ = FILES[name]
    (tmp_path / name).write_bytes(whole)
    read(tmp_path / name)


@each_file
@ANYTHING
@given(data=st.data())
def test_damaged_files(name, data, tmp_path_factory):
    whole, read, _ = FILES[name]
    content = data.draw(damaged(whole) | st.binary(max_size=200))
    read_or_refuse(tmp_path_factory.mktemp("damaged") / name, content, read)


@each_file
def test_files_cut_short_anywhere(name, tmp_path):
    whole, read, _ = FILES[name]
    for length in range(0, len(whole), 1 + len(whole) // 100):
        read_or_refuse(tmp_path / name, whole[:length], read)


def grown_by(call):
    """By how much a call raises the peak memory of this process, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    call()
    return peak_memory() - before


def peak_memory():
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def lying_archive(shape):
    """An array whose header promises more than follows."""
    member, content = io.BytesIO(), io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("points.npy", member.getvalue())
        file.writestr("label.npy", member.getvalue())
    return content.getvalue()


def empty_hdf5(shape):
    """Data sets of a shape with nothing in them: HDF5 fills them in as they are read."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name in ("data", "label"):
            file.create_dataset(name, shape=shape, dtype="f4", chunks=(1, 2048, 3))
    return content.getvalue()


BOMBS = {
    "zeros.npz": (
        lambda: archive(points=np.zeros((16_000_000, 2, 3), np.float32), label=LABELS),
        read_clouds,
    ),
    "header.npz": (lambda: lying_archive((10**9, 2048, 3)), read_clouds),
    "endless.npz": (lambda: lying_archive((2**62, 2**62, 3)), read_clouds),
    "empty.hdf5": (lambda: empty_hdf5((100_000, 2048, 3)), read_shapes),
    "endless.hdf5": (lambda: empty_hdf5((2**60, 2048, 3)), read_shapes),
    "atoms.xyz": (lambda: XYZ.replace("2\n", "99999999999999\n", 1).encode(), read_extended_xyz),
    "columns.xyz": (lambda: XYZ.replace("forces:R:3", "forces:R:300000000", 1).encode(), read_extended_xyz),
    "faces.off": (lambda: OFF.replace("4 3 0", "4 99999999999999 0").encode(), read_mesh),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_little_memory(name, tmp_path):
    make, read = BOMBS[name]
    content = make()
    (tmp_path / name).write_bytes(content)

    def refuse():
        with pytest.raises(BadInput, match=re.escape(str(tmp_path))):
            read(tmp_path / name)

    assert len(content) < 1_000_000
    assert grown_by(refuse) < 150e6
