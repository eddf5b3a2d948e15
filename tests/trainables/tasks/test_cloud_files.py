"""Files of point clouds are read as they are meant, or refused with file and sample named."""

import h5py
import numpy as np
import pytest
import torch

from trainables.errors import BadInput
from trainables.tasks.pointclouds import pointclouds
from trainables.tasks.sources.clouds import choose_points
from trainables.tasks.sources.modelnet_mesh import read_off, sample_surface
from trainables.tasks.sources.poses import normalized

SMALL = {"points": 32, "train": 24, "val": 12, "test": 12}


CUBE = """OFF
8 6 0
-1 -1 -1\n1 -1 -1\n1 1 -1\n-1 1 -1\n-1 -1 1\n1 -1 1\n1 1 1\n-1 1 1
4 0 1 2 3\n4 4 5 6 7\n4 0 1 5 4\n4 2 3 7 6\n4 0 3 7 4\n4 1 2 6 5
"""


TETRAHEDRON = "OFF4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n"


@pytest.fixture
def random():
    return np.random.default_rng(5)


def write_archive(folder, **changes):
    points = np.random.default_rng(0).normal(size=(40, 50, 3))
    arrays = {"points": points, "label": np.arange(40) % 4, **changes}
    np.savez(folder / "clouds.npz", **arrays)
    return arrays


def write_hdf5(folder, train=(30, 20), test=(25,), labels=40):
    random = np.random.default_rng(0)
    place = folder / "modelnet40_ply_hdf5_2048"
    place.mkdir()
    for part, counts in (("train", train), ("test", test)):
        for index, count in enumerate(counts):
            with h5py.File(place / f"ply_data_{part}{index}.h5", "w") as file:
                file["data"] = random.normal(size=(count, 64, 3)).astype(np.float32)
                file["label"] = random.integers(labels, size=(count, 1)).astype(np.uint8)
    return place


def write_meshes(folder, place="ModelNet10", train=12, test=4):
    for kind, text in (("box", CUBE), ("tetra", TETRAHEDRON)):
        for part, count in (("train", train), ("test", test)):
            (folder / place / kind / part).mkdir(parents=True)
            for index in range(count):
                (folder / place / kind / part / f"{kind}_{index:04}.off").write_text(text)


def test_archive_is_split_without_overlap(tmp_path):
    arrays = write_archive(tmp_path)
    task = pointclouds(tmp_path, points=50, train=20, val=12, test=8, source="npz", path="clouds.npz")
    assert task.signature.outputs == 4
    grams = {}
    for index, cloud in enumerate(normalized(arrays["points"])):
        grams[index] = np.sort(np.linalg.norm(cloud, axis=1)).sum()
    found = [
        min(grams, key=lambda index, total=total: abs(grams[index] - total))
        for split in task.splits.values()
        for total in split["points"].norm(dim=2).sum(1).tolist()
    ]
    assert sorted(found) == list(range(40))
    labels = torch.cat([split["label"] for split in task.splits.values()])
    assert (labels == torch.tensor([index % 4 for index in found])).all()


def test_hdf5_files_keep_their_test_set_and_stand_upright(tmp_path):
    place = write_hdf5(tmp_path)
    with h5py.File(place / "ply_data_test0.h5") as file:
        heights = normalized(file["data"][()])[..., 1]
    options = {"points": 64, "train": 38, "val": 12, "test": 25, "protocol": "z/z"}
    task = pointclouds(tmp_path, **options, source="modelnet40_hdf5")
    assert task.signature.outputs == 40
    found = task.splits["test"]["points"][..., 2].sort(1).values
    expected = torch.from_numpy(np.sort(heights, axis=1)).float()
    distances = (found[:, None] - expected).abs().amax(2)
    assert (distances.amin(1) < 1e-5).all()
    assert (distances.amin(0) < 1e-5).all()


@pytest.mark.parametrize("place", ["ModelNet10", "ModelNet10/raw"])
def test_meshes_in_the_layout_of_torch_geometric(tmp_path, place):
    write_meshes(tmp_path, place)
    options = {"points": 64, "train": 16, "val": 8, "test": 8, "protocol": "z/z"}
    task = pointclouds(tmp_path, **options, source="modelnet_mesh")
    assert task.signature.outputs == 2
    assert task.splits["test"]["label"].bincount().tolist() == [4, 4]
    spreads = task.splits["test"]["points"].mean(1).norm(dim=1)
    assert spreads.max() < 1e-6


def test_surfaces_are_sampled_by_area(tmp_path, random):
    path = tmp_path / "box.off"
    path.write_text(CUBE.replace("1 1 1\n-1 1 1", "1 1 1\n-1 1 1 # the last vertex"))
    vertices, triangles = read_off(path)
    assert len(triangles) == 12
    points = sample_surface(vertices * [1, 1, 3], triangles, 30_000, path, random) / [1, 1, 3]
    np.testing.assert_allclose(np.abs(points).max(1), 1)
    on_ends = (np.abs(points[:, 2]) > 1 - 1e-9).mean()
    assert on_ends == pytest.approx(2 * 4 / (2 * 4 + 4 * 12), abs=0.01)
    assert np.abs(points.mean(0)).max() < 0.03
    on_side = points[points[:, 0] > 1 - 1e-9][:, 1:]
    np.testing.assert_allclose(np.cov(on_side.T), np.eye(2) / 3, atol=0.02)


def test_points_are_drawn_without_repetition(random):
    points = np.arange(20.0)[None, :, None] * np.ones((50, 1, 3))
    chosen = choose_points(points, 7, random)[..., 0]
    assert all(len(set(cloud)) == 7 for cloud in chosen.tolist())
    assert len(np.unique(chosen)) == 20


def refusal(tmp_path, **options):
    """The message of the task's refusal, which must leave nothing in the cache."""
    with pytest.raises(BadInput) as error:
        pointclouds(tmp_path, **{**SMALL, "val": 4, "test": 4, **options})
    assert [path for path in tmp_path.glob("cache/*") if path.suffix != ".lock"] == []
    assert "\n" not in str(error.value)
    return str(error.value)


def with_nan(sample):
    points = np.random.default_rng(0).normal(size=(40, 50, 3))
    points[sample, 7, 1] = np.nan
    return points


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": with_nan(17)}, "sample 17: coordinates are NaN"),
        ({"points": np.random.default_rng(0).normal(size=(40, 50, 2))}, "expected numbers"),
        ({"points": np.full((40, 50, 3), "1")}, "expected numbers"),
        ({"points": np.ones((40, 50, 3))}, "sample 0: an empty cloud"),
        ({"points": np.empty((0, 50, 3)), "label": np.empty(0, dtype=int)}, "contains no clouds"),
        ({"points": np.empty((40, 0, 3))}, "clouds of 0 points, but task.points requires 32"),
        ({"label": np.arange(40) % 4 * 2}, "sample 2: label 4 is not in 0 .. 3"),
        ({"label": np.arange(40) % 4 - 1}, "sample 0: label -1 is not in 0 .. 3"),
        ({"label": np.arange(40) % 4 / 2}, "expected whole numbers"),
        ({"label": np.arange(39) % 4}, "expected whole numbers (40,)"),
        ({"label": np.array([{}] * 40, dtype=object)}, "not a numpy archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arrays_are_refused_by_file_and_sample(tmp_path, changes, message):
    write_archive(tmp_path, **changes)
    found = refusal(tmp_path, source="npz", path="clouds.npz")
    assert "clouds.npz" in found
    assert message in found


def test_bad_archives(tmp_path):
    assert "task.path: missing" in refusal(tmp_path, source="npz")
    assert "no such file" in refusal(tmp_path, source="npz", path="none.npz")
    write_archive(tmp_path)
    assert "ask for fewer" in refusal(tmp_path, source="npz", path="clouds.npz", train=33)
    whole = (tmp_path / "clouds.npz").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not an archive"):
        (tmp_path / "clouds.npz").write_bytes(content)
        assert "not a numpy archive" in refusal(tmp_path, source="npz", path="clouds.npz")
    np.savez(tmp_path / "clouds.npz", other=np.ones(3))
    assert "'points' and 'label'" in refusal(tmp_path, source="npz", path="clouds.npz")


def test_bad_hdf5_files(tmp_path):
    options = {"source": "modelnet40_hdf5", "train": 40}
    assert "no ply_data_train" in refusal(tmp_path, **options)
    place = write_hdf5(tmp_path, labels=41)
    broken = place / "ply_data_train1.h5"
    with h5py.File(broken, "r+") as file:
        file["label"][3] = 40
    found = refusal(tmp_path, **options)
    assert "ply_data_train" in found
    assert "label 40 is not in 0 .. 39" in found
    for file in place.glob("*.h5"):
        with h5py.File(file, "r+") as content:
            content["label"][...] = 1
    with h5py.File(broken, "r+") as file:
        file["data"][5, 0, 0] = np.inf
    assert "ply_data_train1.h5: sample 5" in refusal(tmp_path, **options)
    broken.write_bytes(broken.read_bytes()[:3000])
    assert "ply_data_train1.h5: not a ModelNet40 HDF5 file" in refusal(tmp_path, **options)
    with h5py.File(broken, "w") as file:
        file["data"] = np.zeros((4, 64, 3))
    assert "ply_data_train1.h5: not a ModelNet40 HDF5 file" in refusal(tmp_path, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an OFF mesh"),
        ("PLY\n1 2 3", "not an OFF mesh"),
        (CUBE[: len(CUBE) // 3], "not an OFF mesh"),
        (CUBE[:-20], "not an OFF mesh"),
        (TETRAHEDRON[:-8], "not an OFF mesh"),
        (TETRAHEDRON.replace("1 2 3\n", "1 2 9\n"), "not an OFF mesh"),
        ("OFF\n0 0 0\n", "an empty mesh"),
        (TETRAHEDRON.replace("1 0 0\n", "nan 0 0\n", 1), "an empty mesh"),
    ],
)
def test_bad_meshes(tmp_path, text, message):
    write_meshes(tmp_path)
    (tmp_path / "ModelNet10/tetra/train/tetra_0003.off").write_text(text)
    found = refusal(tmp_path, source="modelnet_mesh", train=20)
    assert "tetra_0003.off" in found
    assert message in found


def test_missing_meshes(tmp_path):
    assert "has no <class>/train/*.off" in refusal(tmp_path, source="modelnet_mesh")


def test_existing_keys_are_named(tmp_path):
    np.savez(tmp_path / "clouds.npz", X=np.ones((4, 8, 3)), y=np.arange(4))
    assert "it has X, y; rename them" in refusal(tmp_path, source="npz", path="clouds.npz")
    place = write_hdf5(tmp_path)
    with h5py.File(place / "ply_data_train1.h5", "w") as file:
        file["points"] = np.zeros((4, 64, 3))
    assert "ply_data_train1.h5: not" in (found := refusal(tmp_path, source="modelnet40_hdf5", train=40))
    assert "it has points" in found


def test_labels_may_be_a_column(tmp_path):
    arrays = write_archive(tmp_path)
    options = {"points": 50, "train": 20, "val": 12, "test": 8, "source": "npz", "path": "clouds.npz"}
    row = pointclouds(tmp_path, **options).splits["train"]["label"]
    write_archive(tmp_path, label=arrays["label"][:, None])
    assert torch.equal(pointclouds(tmp_path, **options).splits["train"]["label"], row)
    write_archive(tmp_path, label=np.stack([arrays["label"]] * 2, axis=1))
    with pytest.raises(BadInput, match=r"expected whole numbers \(40,\)"):
        pointclouds(tmp_path, **options)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_clouds_far_from_the_origin_keep_their_shape(tmp_path, dtype):
    points = (100 * np.random.default_rng(0).normal(size=(40, 50, 3))).round().astype(dtype)
    options = {"points": 50, "train": 20, "val": 12, "test": 8, "source": "npz", "path": "clouds.npz"}
    found = []
    for offset in (0, 500_000_000):
        write_archive(tmp_path, points=points + np.array([offset, -offset, 2 * offset], dtype))
        found.append(pointclouds(tmp_path, **options).splits["train"]["points"])
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


def test_meshes_far_from_the_origin_keep_their_shape(random):
    vertices, triangles = np.eye(4)[:, :3], np.array([[0, 1, 2], [1, 2, 3]])
    here, there = (
        sample_surface(vertices + offset, triangles, 500, "mesh.off", np.random.default_rng(0)).astype(
            np.float32
        )
        for offset in (0, 1e8)
    )
    np.testing.assert_allclose(here, there, atol=1e-6)


@pytest.mark.parametrize("size", [1e20, 1e300, 1e-20])
def test_clouds_beyond_float32_are_refused(tmp_path, size):
    points = np.random.default_rng(0).normal(size=(40, 50, 3))
    points[3] *= size
    write_archive(tmp_path, points=points)
    assert "sample 3: a cloud of size" in refusal(tmp_path, source="npz", path="clouds.npz")


def test_clouds_whose_drawn_points_coincide_are_refused(tmp_path):
    points = np.random.default_rng(0).normal(size=(40, 500, 3))
    points[7, 1:] = 0.0  # one point and padding
    write_archive(tmp_path, points=points)
    found = refusal(tmp_path, source="npz", path="clouds.npz")
    assert "clouds.npz: sample 7: its 32 drawn points coincide; raise task.points or remove padding" in found
    (place := tmp_path / "modelnet40_ply_hdf5_2048").mkdir()
    for part in ("train0", "test0"):
        with h5py.File(place / f"ply_data_{part}.h5", "w") as file:
            file["data"], file["label"] = points, np.zeros(40, dtype=np.uint8)
    assert "ply_data_train0.h5: sample 7: its 32" in refusal(tmp_path, source="modelnet40_hdf5")


def test_meshes_with_names_in_capitals_are_read_too(tmp_path):
    write_meshes(tmp_path)
    (tmp_path / "ModelNet10/box/train/BOX_9.OFF").write_text(CUBE)
    pointclouds(tmp_path, points=16, train=20, val=5, test=8, source="modelnet_mesh")
