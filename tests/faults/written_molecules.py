"""Random molecules with the units that files name, and archives of them."""

from dataclasses import dataclass

import ase.units
import numpy as np
from written_files import Written, numbers, pick, stored

from trainables.tasks.sources.frames import check_frames
from trainables.tasks.sources.md17 import read_md17

SYMBOLS = {"H": 1, "C": 6, "N": 7, "O": 8, "Cl": 17}
ENERGIES = {
    "eV": 1.0, "meV": 1e-3, "kcal/mol": ase.units.kcal / ase.units.mol, "kJ/mol": ase.units.kJ / ase.units.mol,
    "Hartree": ase.units.Hartree, "Ry": ase.units.Rydberg, "Ha": ase.units.Hartree,
}  # fmt: skip
LENGTHS = {"Ang": 1.0, "Angstrom": 1.0, "A": 1.0, "bohr": ase.units.Bohr, "Bohr": ase.units.Bohr, "nm": 10.0}


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
