"""Random point clouds in numpy archives and HDF5, and random meshes in OFF."""

import h5py
import numpy as np
from written_files import Written, numbers, pick, stored, text_of

from trainables.tasks.sources.cloud_archive import read_archive
from trainables.tasks.sources.modelnet_hdf5 import read_modelnet
from trainables.tasks.sources.off_mesh import read_off


def clouds(random):
    """Points (clouds, 9, 3), labels (clouds,) of two classes or more."""
    count = int(random.integers(4, 9))
    points = numbers(random, count, 9, 3) + pick(random, 0.0, 1000.0)
    return stored(random, points), np.arange(count) % int(random.integers(2, 4))


def centered(points):
    points = points.astype(np.float64)
    return points - points.mean(1, keepdims=True)


def labels_of(random, labels):
    labels = labels.astype(pick(random, "u1", "<i4", ">i8", "u2"))
    return labels[:, None] if random.random() < 0.5 else labels


def cloud_archive(random, folder):
    points, labels = clouds(random)
    content = {"points": points, "label": labels_of(random, labels), "names": np.array(["a", "b"])}
    fault = pick(random, *(6 * [""]), "NaN", "gap", "names")
    if fault == "NaN":
        content["points"] = points = points.copy()
        points[2, 3, 1] = np.nan
    if fault == "gap":
        content["label"] = 2 * labels + 1
    if fault == "names":
        content["labels"] = content.pop("label")
    path = folder / "mine.npz"
    pick(random, np.savez, np.savez_compressed)(path, **content)
    arrays = None if fault else {"points": centered(points), "labels": labels}
    return Written(path, arrays, atol=1e-4 if points.dtype.itemsize == 4 else 1e-6 * float(np.ptp(points)))


def read_clouds(written):
    pool = read_archive(written.path, 9, 0).pool
    return {"points": centered(pool.points), "labels": pool.labels}


def shapes(random, folder):
    points, labels = clouds(random)
    fault = pick(random, *(6 * [False]), True)
    path = folder / "ply_data_train0.h5"
    for name in (path, folder / "ply_data_test0.h5"):
        with h5py.File(name, "w") as file:
            file.create_dataset("data", data=points, compression=pick(random, None, "gzip"))
            file.create_dataset("label", data=labels_of(random, labels + (40 if fault else 0)))
            file.create_dataset("normal", data=points[::-1])
            file.create_dataset("faceId", data=labels)
    x, y, z = np.moveaxis(centered(points), 2, 0)
    arrays = None if fault else {"points": np.stack([x, -z, y], axis=2), "labels": labels}
    return Written(path, arrays, atol=1e-4 if points.dtype.itemsize == 4 else 1e-6 * float(np.ptp(points)))


def read_shapes(written):
    pool = read_modelnet(written.path.parent, 9, 0).pool
    return {"points": centered(pool.points), "labels": pool.labels}


def mesh(random, folder):
    points = [
        [text_of(random, x).replace("D", "e") for x in row]
        for row in numbers(random, random.integers(3, 9), 3)
    ]
    faces = [
        random.permutation(len(points))[: random.integers(1, len(points) + 1)].tolist()
        for _ in range(random.integers(1, 7))
    ]
    kind, behind = pick(
        random, ("", ""), ("", ""), ("", " 255 0 0"), ("C", " 0.1 0.2 0.3 1"), ("N", " 0 0 1"),
        ("CN", " 0 0 1 255 0 0 255"), ("ST", " 0 1"), ("4", " 1"),
    )  # fmt: skip
    color = ["", " 3", " 255 255 0", " 0.5 0.5 0.5 1.0"]
    colored = random.random() < 0.6
    rows = [" ".join(row) + behind for row in points]
    for corners in faces:
        rows.append(" ".join(map(str, (len(corners), *corners))) + (pick(random, *color) if colored else ""))
    if random.random() < 0.3:
        rows = [row + pick(random, "", " # 1 2 3", "\n# 3 0 1 2", "\n") for row in rows]
    counts = f"{len(points)} {len(faces)}" + pick(random, " 0", " 12", "")
    head = f"{kind}OFF" + pick(random, "\n", " ", "", " # mine\n", "\n\n") + counts
    text = (
        pick(random, "", "", "# made by hand\n", "\ufeff")
        + "\n".join([head, *rows])
        + pick(random, "", "\n", "\n\n")
    )
    path = folder / "mine.off"
    path.write_bytes(text.replace("\n", pick(random, "\n", "\r\n", "\r")).encode())
    if kind == "4":
        return Written(path, None)
    triangles = [(face[0], face[i], face[i + 1]) for face in faces for i in range(1, len(face) - 1)]
    arrays = {"vertices": np.array(points, dtype=float), "triangles": np.array(triangles).reshape(-1, 3)}
    return Written(path, arrays)


def read_mesh(written):
    vertices, triangles = read_off(written.path)
    return {"vertices": vertices, "triangles": triangles}
