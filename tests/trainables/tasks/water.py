"""Random water molecules with energies and forces, and a file of them."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

SMALL = {"train": 6, "val": 3, "test": 4}


def water(seed: int, symbols: str = "OHH", **results) -> Atoms:
    """A random bent molecule with random energy and forces, or with those given."""
    random = np.random.default_rng(seed)
    positions = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]) + random.normal(
        0, 0.1, (3, 3)
    )
    known = {"energy": float(random.normal(-2000, 0.2)), "forces": random.normal(0, 1.2, (3, 3))}
    atoms = Atoms(symbols, positions=positions)
    atoms.calc = SinglePointCalculator(atoms, **{**known, **results})
    return atoms


def water_file(folder: Path) -> Path:
    """Write 20 frames to `water.xyz` in the folder; returns the folder."""
    write(folder / "water.xyz", [water(seed) for seed in range(20)], format="extxyz")
    return folder
