"""Archives of MD17 and rMD17 are read as they are meant, or refused in one line."""

from pathlib import Path

import ase.units
import numpy as np
import pytest
import torch

from trainables.errors import BadInput
from trainables.tasks.forces import forces
from trainables.tasks.sources.md17 import read_md17

SMALL = {"train": 6, "val": 3, "test": 4}


pytestmark = pytest.mark.usefixtures("float64")


def md17(path: Path, keys: dict[str, str], **changes) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    arrays = {
        "numbers": np.array([8, 1, 1], dtype=np.uint8),
        "positions": random.normal(size=(20, 3, 3)),
        "energies": random.normal(-47000, 4, size=(20, 1)),
        "forces": random.normal(0, 20, size=(20, 3, 3)),
    } | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{keys[name]: array for name, array in arrays.items()})
    return arrays


EV, HARTREE, BOHR = 1 / (ase.units.kcal / ase.units.mol), ase.units.Hartree, ase.units.Bohr
ORIGINAL = {"numbers": "z", "positions": "R", "energies": "E", "forces": "F"}


REVISED = {"numbers": "nuclear_charges", "positions": "coords", "energies": "energies", "forces": "forces"}


@pytest.mark.parametrize(
    ("molecule", "path", "keys"),
    [
        ("md17_salicylic", "MD17/salicylic acid/raw/md17_salicylic.npz", ORIGINAL),
        ("rmd17_aspirin", "MD17/raw/rmd17/npz_data/rmd17_aspirin.npz", REVISED),
        ("mine.npz", "mine.npz", REVISED),
    ],
)
def test_md17_archives_where_torch_geometric_puts_them(tmp_path, molecule, path, keys):
    arrays = md17(tmp_path / path, keys)
    task = forces(tmp_path, molecule=molecule, **SMALL)
    order = np.random.default_rng(43).permutation(20)
    unit = ase.units.kcal / ase.units.mol
    np.testing.assert_allclose(task.splits["val"]["forces"], arrays["forces"][order[:3]] * unit, rtol=1e-6)
    energies = task.splits["val"]["energies"] + task.mean
    np.testing.assert_allclose(energies, arrays["energies"][order[:3], 0] * unit, rtol=1e-6)
    assert task.signature.scalars == 2


def test_md17_is_where_torch_geometric_looks_for_it():
    from torch_geometric.datasets import MD17

    from trainables.tasks.sources.molecules import MOLECULES

    for name, file in MD17.file_names.items():
        if "CCSD" in name or "FHI" in name:
            continue
        dataset = MD17.__new__(MD17)
        dataset.root, dataset.name, dataset.revised, dataset.ccsd = "MD17", name, "revised" in name, False
        assert MOLECULES[Path(file).stem].pool == f"{dataset.raw_dir}/{dataset.raw_file_names}"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"numbers": np.array([2]), "positions": np.zeros((20, 1, 3)), "forces": np.zeros((20, 1, 3))},
            "one-atom",
        ),
        ({"energies": np.zeros(19)}, "positions are"),
        ({"forces": np.full((20, 3, 3), np.nan)}, "frame 0: forces are NaN"),
        ({"forces": np.zeros((20, 3, 3))}, "all forces are zero"),
    ],
)
def test_bad_archives(tmp_path, changes, complaint):
    md17(tmp_path / "mine.npz", REVISED, **changes)
    with pytest.raises(BadInput, match=r"mine\.npz: " + complaint):
        forces(tmp_path, molecule="mine.npz", **SMALL)


@pytest.mark.parametrize(
    ("named", "energy", "length"),
    [
        ({"e_unit": "kcal/mol", "r_unit": "Ang"}, 1, 1),
        ({"e_unit": "eV", "r_unit": "Ang"}, EV, 1),
        ({"e_unit": b"eV"}, EV, 1),
        ({"e_unit": np.array(["Hartree"]), "r_unit": "bohr"}, EV * HARTREE, BOHR),
        ({"r_unit": "nm"}, 1, 10),
        ({"e_unit": "kJ/mol", "r_unit": "Angstrom", "lattice": np.zeros((3, 3))}, 1 / 4.184, 1),
        ({"e_unit": "eV", "f_unit": "eV/Ang", "pbc": np.zeros(3, dtype=bool)}, EV, 1),
    ],
)
@pytest.mark.parametrize("keys", [ORIGINAL, REVISED])
def test_units_that_an_archive_names_are_used(tmp_path, named, energy, length, keys):
    md17(tmp_path / "plain.npz", keys)
    plain = read_md17(tmp_path / "plain.npz")
    md17(tmp_path / "named.npz", {**keys, **{key: key for key in named}}, **named)
    frames = read_md17(tmp_path / "named.npz")
    np.testing.assert_allclose(frames.energies, energy * plain.energies, rtol=1e-8)
    np.testing.assert_allclose(frames.positions, length * plain.positions, rtol=1e-8)
    np.testing.assert_allclose(frames.forces, energy / length * plain.forces, rtol=1e-8)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"e_unit": "furlong"}, "'furlong' is not a known unit of energy"),
        ({"e_unit": "eV", "r_unit": "unknown"}, "'unknown' is not a known unit of length"),
        ({"e_unit": "Hartree"}, "per angstrom or per bohr"),
        ({"e_unit": np.array(["eV", "eV"])}, "'' is not a known unit of energy"),
        ({"lattice": 6 * np.eye(3)}, r"frame 0: a periodic cell \('lattice'\); cells are not supported"),
        ({"cell": np.tile(6 * np.eye(3), (20, 1, 1))}, r"frame 0: a periodic cell \('cell'\)"),
        ({"pbc": np.array([True, True, False])}, r"frame 0: a periodic cell \('pbc'\)"),
    ],
)
def test_archives_with_cells_or_unknown_units(tmp_path, more, complaint):
    md17(tmp_path / "mine.npz", {**ORIGINAL, **{key: key for key in more}}, **more)
    with pytest.raises(BadInput, match=r"mine\.npz: .*" + complaint):
        read_md17(tmp_path / "mine.npz")


def test_archives_with_other_keys_must_name_their_units(tmp_path):
    keys = {**ORIGINAL, "energies": "dft_energy", "forces": "dft_forces"}
    md17(tmp_path / "mine.npz", keys)
    with pytest.raises(BadInput, match=r"z, R, dft_energy, dft_forces; .*set task\.energy_key"):
        forces(tmp_path, molecule="mine.npz", **SMALL)
    options = {"molecule": "mine.npz", **SMALL, "energy_key": "dft_energy", "forces_key": "dft_forces"}
    with pytest.raises(BadInput, match=r"the units of .* are missing"):
        forces(tmp_path, **options)
    md17(tmp_path / "mine.npz", {**keys, "e_unit": "e_unit"}, e_unit="eV")
    md17(tmp_path / "plain.npz", {**ORIGINAL, "e_unit": "e_unit"}, e_unit="eV")
    task, plain = forces(tmp_path, **options), forces(tmp_path, molecule="plain.npz", **SMALL)
    for name in plain.splits:
        assert torch.equal(task.splits[name]["forces"], plain.splits[name]["forces"])
        assert torch.equal(task.splits[name]["energies"], plain.splits[name]["energies"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"numbers": np.array([8.5, 1, 1])}, "atomic numbers that are not whole"),
        ({"numbers": np.array([8, 1, 0])}, "atomic numbers from 0 to 8"),
        ({"energies": np.zeros((10, 2))}, "one energy for each frame"),
        ({"forces": np.full((20, 3, 3), "1.0")}, "'F' contains <U3, expected numbers"),
    ],
)
def test_archives_whose_arrays_mean_something_else(tmp_path, changes, complaint):
    md17(tmp_path / "mine.npz", ORIGINAL, **changes)
    with pytest.raises(BadInput, match=complaint):
        forces(tmp_path, molecule="mine.npz", **SMALL)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_archives_cut_short_or_foreign(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"mine\.npz: not a numpy archive, or cut short"):
        forces(tmp_path, molecule="mine.npz", **SMALL)


def test_an_archive_without_the_keys(tmp_path):
    np.savez(tmp_path / "mine.npz", points=np.zeros(3))
    with pytest.raises(BadInput, match=r"mine\.npz: has neither the keys of MD17 nor those of rMD17"):
        forces(tmp_path, molecule="mine.npz", **SMALL)
