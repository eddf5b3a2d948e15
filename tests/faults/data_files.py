"""Random valid data files of each format, written by hand or by ase, with the numbers that they mean."""

from dataclasses import dataclass, field
from pathlib import Path

import ase.units
import h5py
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from trainables.tasks.sources.cloud_archive import read_archive
from trainables.tasks.sources.extended_xyz import read_extended_xyz
from trainables.tasks.sources.frames import Keys, check_frames
from trainables.tasks.sources.md17 import read_md17
from trainables.tasks.sources.modelnet_hdf5 import read_modelnet
from trainables.tasks.sources.off_mesh import read_off

SYMBOLS = {"H": 1, "C": 6, "N": 7, "O": 8, "Cl": 17}
ENERGIES = {
    "eV": 1.0, "meV": 1e-3, "kcal/mol": ase.units.kcal / ase.units.mol, "kJ/mol": ase.units.kJ / ase.units.mol,
    "Hartree": ase.units.Hartree, "Ry": ase.units.Rydberg, "Ha": ase.units.Hartree,
}  # fmt: skip
LENGTHS = {"Ang": 1.0, "Angstrom": 1.0, "A": 1.0, "bohr": ase.units.Bohr, "Bohr": ase.units.Bohr, "nm": 10.0}
TOLERANCE = 1e-7  # relative: ase's constants are CODATA 2014
Arrays = dict[str, np.ndarray]


@dataclass
class Written:
    """A file with what it means.

    arrays: by name what must be read; None where the file must be refused
    atol: what was lost in writing
    """

    path: Path
    arrays: Arrays | None
    atol: float = 0.0
    keys: Keys = field(default_factory=Keys)


def pick(random, *choices):
    return choices[random.integers(len(choices))]


def numbers(random, *shape):
    """Ordinary numbers with many digits, some of them large, small or whole."""
    values = random.normal(size=shape) * 10.0 ** random.integers(-3, 3, size=shape)
    return np.where(random.random(shape) < 0.1, np.rint(values), values)


# --- extended XYZ


@dataclass
class Molecule:
    symbols: list[str]
    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray


def molecule(random):
    atoms, frames = int(random.integers(2, 6)), int(random.integers(1, 5))
    return Molecule(
        [str(symbol) for symbol in random.choice(list(SYMBOLS), atoms)],
        numbers(random, frames, atoms, 3),
        numbers(random, frames) + pick(random, 0.0, -300_000.0),
        numbers(random, frames, atoms, 3) + 0.5,
    )


def cell(random):
    """A comment's words on the cell, and whether they make it periodic."""
    return pick(
        random,
        ("", False), ("", False), ('pbc="F F F"', False), ('Lattice="9 0 0 0 9 0 0 0 9" pbc="F F F"', False),
        ("pbc=[F, F, F] Lattice='9.0 0 0 1 9 0 0 2 9'", False), ('Lattice="0 0 0 0 0 0 0 0 0"', False),
        ('pbc="T T T" Lattice="9 0 0 0 9 0 0 0 9"', True), ('Lattice="9 0 0 0 9 0 0 0 9"', True),
        ("pbc=[False, True, False]", True), ('Lattice="9 0 0 0 9 0 0 0 9" pbc="F F T"', True),
    )  # fmt: skip


def units(random):
    """A comment's words on units with the factors of energy, length and force; no factors where not known."""
    energy, length = pick(random, *ENERGIES), pick(random, *LENGTHS)
    e, r = ENERGIES[energy], LENGTHS[length]
    return pick(
        random,
        ("", (1.0, 1.0, 1.0)), ("", (1.0, 1.0, 1.0)), (f"energy_unit={energy} length_unit={length}", (e, r, e / r)),
        (f"e_unit={energy} r_unit={length}", (e, r, e / r)), (f'units="{energy}, {length}"', (e, r, e / r)),
        (f"energy_units='{energy}' force_units={energy}/{length}", (e, 1.0, e / r)), ("stress_unit=GPa", (1.0,) * 3),
        (f"pos_unit={length} force_unit='{energy}/{length}'", (1.0, r, e / r)), ("energy_unit=parsec", None),
        ("units=imperial", None), (f"r_unit=mile e_unit={energy}", None),
    )  # fmt: skip


def text_of(random, value):
    """A number as programs print it; what it says is what is meant."""
    form = pick(random, "repr", "repr", "%.8f", "%16.9f", "%.10e", "%.10E", "fortran")
    text = repr(float(value)) if form == "repr" else ("%.10E" if form == "fortran" else form) % value
    return text.replace("E", "D") if form == "fortran" else text


def meant(text):
    return float(text.replace("D", "E"))


EXTRAS = [
    "step=12", "source=slurm:1234567", "note=\"it's 5:00, a=b\"", "stress=[[1, 2], [3, 4]]", "plain words",
    'empty=""', "virial={1 2 3}", "doi:10.1/x:20240607", "free_energy=99", "name='a \"b\" c'", "T=300K",
    'j="_JSON {\\"a\\": 1}"',
]  # fmt: skip
COLUMNS = ["tags:I:1", "label:S:1", "mask:L:3", "charge:R:1", "velo:R:3", "energies:R:1"]


def xyz_by_hand(random, folder):
    made = molecule(random)
    names = pick(
        random,
        ("energy", "forces"),
        ("REF_energy", "REF_forces"),
        ("TotEnergy", "force"),
        ("E", "dft_forces"),
    )
    periodic, (stated, factors) = False, units(random)
    columns = [pick(random, "species:S:1", "Z:I:1"), "pos:R:3", f"{names[1]}:R:3"]
    columns += list(random.choice(COLUMNS, random.integers(4), replace=False))
    columns = [str(column) for column in random.permutation(columns)]
    blocks, positions, energies, forces = [], [], [], []
    isolated = random.random() < 0.3
    if isolated:
        references = {symbol: repr(float(numbers(random)) - 50) for symbol in made.symbols}
        for symbol, energy in references.items():
            comment = f"Properties=species:S:1:pos:R:3 config_type=IsolatedAtom {names[0]}={energy} {stated}"
            blocks.append(f"1\n{comment}\n{symbol} 0 0 0")
    for at in range(len(made.energies)):
        box, closed = cell(random) if random.random() < 0.2 else ("", False)
        periodic |= closed
        energy = text_of(random, made.energies[at])
        words = [
            f"Properties={':'.join(columns)}",
            pick(random, f"{names[0]}={energy}", f'{names[0]} = "{energy}"'),
        ]
        words += [box, stated, *random.choice(EXTRAS, random.integers(4), replace=False)]
        rows = []
        for index, symbol in enumerate(made.symbols):
            place, force = (
                [text_of(random, x) for x in array[at, index]] for array in (made.positions, made.forces)
            )
            positions.append(place)
            forces.append(force)
            cells = {
                "species": symbol,
                "Z": str(SYMBOLS[symbol]),
                "pos": "  ".join(place),
                names[1]: " ".join(force),
            }
            cells |= {
                "tags": "1",
                "label": "a1",
                "mask": "T F T",
                "charge": "0.1",
                "velo": "1 2 3",
                "energies": "7",
            }
            rows.append("\t".join(cells[column.split(":")[0]] for column in columns))
        energies.append(energy)
        comment = " ".join(str(word) for word in random.permutation([word for word in words if word]))
        blocks.append("\n".join([f" {len(rows)}", comment, *rows]))
    gap = pick(random, "\n", "\n\n", "\n \t\n\n")
    text = pick(random, "", "\ufeff", "\n") + gap.join(blocks) + pick(random, "", "\n", "\n\n", "\n  \n")
    path = folder / "mine.xyz"
    path.write_bytes(text.replace("\n", pick(random, "\n", "\r\n", "\r")).encode())
    keys = Keys(*(None if name in ("energy", "forces") else name for name in names))
    if periodic or factors is None:
        return Written(path, None, keys=keys)
    shape = made.positions.shape
    arrays = {
        "numbers": np.array([SYMBOLS[symbol] for symbol in made.symbols]),
        "energies": factors[0] * np.array([meant(text) for text in energies]),
        "positions": factors[1] * np.array([[meant(x) for x in row] for row in positions]).reshape(shape),
        "forces": factors[2] * np.array([[meant(x) for x in row] for row in forces]).reshape(shape),
        "reference": np.array(
            factors[0] * sum(float(references[symbol]) for symbol in made.symbols) if isolated else 0.0
        ),
    }
    return Written(path, arrays, keys=keys)


def xyz_by_ase(random, folder):
    made = molecule(random)
    own_names, periodic = random.random() < 0.5, False
    stated, factors = units(random)
    known = {key: value.strip("'\"") for key, value in (word.split("=", 1) for word in _words(stated))}
    frames = []
    for at, energy in enumerate(made.energies.tolist()):
        atoms = Atoms(made.symbols, positions=made.positions[at])
        if random.random() < 0.4:
            atoms.cell, atoms.pbc = 9 * np.eye(3) + 0.1, random.random(3) < 0.15
            periodic |= bool(atoms.pbc.any())
        atoms.info |= {
            "step": at,
            "note": pick(random, "a = 'b'", "5:00", 'say "x"', "{a}"),
            "ok": True,
            **known,
        }
        atoms.info["table"] = pick(random, np.arange(3), np.eye(2), [{"a": 1}], "[1, 2")
        atoms.set_array("tags", random.integers(9, size=len(atoms)))
        if random.random() < 0.5:
            atoms.set_array("charges", numbers(random, len(atoms)))
        if own_names:
            atoms.info["REF_energy"] = energy
            atoms.set_array("REF_forces", made.forces[at])
        else:
            more = (
                {"stress": numbers(random, 6), "dipole": numbers(random, 3)} if random.random() < 0.5 else {}
            )
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=made.forces[at], **more)
        frames.append(atoms)
    path = folder / "mine.extxyz"
    write(path, frames, format="extxyz")
    keys = Keys("REF_energy", "REF_forces") if own_names else Keys()
    if periodic or factors is None:
        return Written(path, None, keys=keys)
    arrays = {
        "numbers": frames[0].numbers,
        "energies": factors[0] * made.energies,
        "positions": factors[1] * made.positions,
        "forces": factors[2] * made.forces,
        "reference": np.array(0.0),
    }
    return Written(path, arrays, atol=6e-9 * max(1.0, *factors), keys=keys)


def _words(stated):
    """The pairs of a comment, values in quotes kept whole."""
    pieces, open_quote = [], ""
    for word in stated.split():
        if open_quote:
            pieces[-1] += f" {word}"
        else:
            pieces.append(word)
        for mark in ("'", '"'):
            if word.count(mark) % 2:
                open_quote = "" if open_quote else mark
    return pieces


def read_xyz(written):
    frames = read_extended_xyz(written.path, written.keys)
    check_frames(frames, written.path)
    return vars(frames)


# --- archives and HDF5


def stored(random, array):
    """The array in another order of bytes or axes, or in fewer digits; in all cases what is meant."""
    array = array.astype(pick(random, "<f8", ">f8", "<f4", ">f4"))
    return np.asfortranarray(array) if random.random() < 0.3 else array


def md17(random, folder):
    made = molecule(random)
    energies = stored(random, made.energies).reshape(pick(random, (-1,), (-1, 1)))
    arrays = {
        "numbers": np.array([SYMBOLS[symbol] for symbol in made.symbols], dtype=pick(random, "u1", "i8", "<f8")),
        "positions": stored(random, made.positions), "energies": energies, "forces": stored(random, made.forces),
    }  # fmt: skip
    names = pick(random, ("z", "R", "E", "F"), ("nuclear_charges", "coords", "energies", "forces"))
    content = dict(zip(names, arrays.values(), strict=True)) | {
        "name": "m",
        "theory": "unknown",
        "old_indices": [1],
    }
    energy, length = pick(random, *ENERGIES), pick(random, *LENGTHS)
    factors = ENERGIES["kcal/mol"], 1.0
    if random.random() < 0.7:
        content |= {"e_unit": pick(random, energy, energy.encode(), np.array([energy])), "r_unit": length}
        factors = ENERGIES[energy], LENGTHS[length]
    fault = pick(
        random, *(8 * [{}]), {"lattice": 9 * np.eye(3)}, {"e_unit": "parsec"}, {"pbc": [True, False, True]}
    )
    content |= fault or pick(random, {}, {"lattice": np.zeros((3, 3))}, {"pbc": np.zeros(3, bool)})
    path = folder / "mine.npz"
    pick(random, np.savez, np.savez_compressed)(path, **content)
    if fault:
        return Written(path, None)
    expected = {name: array.astype(np.float64) for name, array in arrays.items()}
    expected["energies"] = factors[0] * expected["energies"].reshape(-1)
    expected["positions"] *= factors[1]
    expected["forces"] *= factors[0] / factors[1]
    return Written(path, {**expected, "reference": np.array(0.0)})


def read_molecules(written):
    frames = read_md17(written.path)
    check_frames(frames, written.path)
    return vars(frames)


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


# --- meshes


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


FORMATS = {
    "xyz by hand": (xyz_by_hand, read_xyz),
    "xyz by ase": (xyz_by_ase, read_xyz),
    "molecules": (md17, read_molecules),
    "clouds": (cloud_archive, read_clouds),
    "shapes": (shapes, read_shapes),
    "meshes": (mesh, read_mesh),
}
"""How a file is written, and how it is read as arrays by name."""
