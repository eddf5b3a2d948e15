"""Extended XYZ files, read with ase. Lengths in angstrom, energies in eV, forces in eV/angstrom."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import iread

from trainables.errors import BadInput
from trainables.tasks.sources.frames import Frames


def read_extended_xyz(path: Path) -> Frames:
    """All frames of a file that has `energy` for each frame and `forces` for each atom.

    BadInput naming file and frame where it is not such a file, is cut short or mixes molecules.
    """
    molecules = _read(path)
    if not molecules:
        raise BadInput(f"{path}: holds no frames")
    numbers = molecules[0].numbers
    for frame, molecule in enumerate(molecules):
        results = molecule.calc.results if molecule.calc else {}
        for name in ("energy", "forces"):
            if name not in results and len(molecule) > 1:
                raise BadInput(f"{path}: frame {frame}: no '{name}'")
        if not np.array_equal(molecule.numbers, numbers):
            raise BadInput(
                f"{path}: frame {frame}: {molecule.symbols}, but frame 0 is {molecules[0].symbols}; "
                "one file holds one molecule with its atoms in one order"
            )
    if len(numbers) < 2:
        raise BadInput(f"{path}: one-atom molecules have no forces to learn; at least two atoms are needed")
    return Frames(
        numbers,
        np.stack([molecule.positions for molecule in molecules]),
        _numbers([molecule.calc.results["energy"] for molecule in molecules], "energies", path),
        _numbers([molecule.calc.results["forces"] for molecule in molecules], "forces", path),
    )


def _numbers(values: list[Any], name: str, path: Path) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: {name} that are not numbers, or not as many in each frame") from error


def read_atom_energies(path: Path) -> dict[int, float]:
    """Atomic number -> energy of the isolated atom in eV, from a file with one atom in each frame."""
    energies = {}
    for frame, atoms in enumerate(_read(path)):
        if len(atoms) != 1 or atoms.calc is None or not np.isfinite(atoms.calc.results.get("energy", np.nan)):
            raise BadInput(f"{path}: frame {frame}: expected one atom with its energy")
        energies[int(atoms.numbers[0])] = float(atoms.calc.results["energy"])
    return energies


def _read(path: Path) -> list[Atoms]:
    molecules: list[Atoms] = []
    try:
        _check_counts(path)
        for atoms in iread(path, index=":", format="extxyz"):
            molecules.append(atoms)
    except FileNotFoundError:
        raise
    except Exception as error:  # ase lets through whatever its parser happens to hit in a foreign file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"{path}: frame {len(molecules)}: not extended XYZ, or cut short ({reason})"
        ) from error
    if not path.read_bytes().endswith(b"\n") and molecules:
        # The last number may be cut in its middle, which no parser can see.
        raise BadInput(f"{path}: frame {len(molecules) - 1}: cut short; its last line has no end")
    return molecules


def _check_counts(path: Path) -> None:
    """ValueError where a frame claims more atoms or columns than the file can hold: ase would count up to them."""
    lines = path.read_text().splitlines()
    start = 0
    while start < len(lines) and lines[start].strip():
        count = int(lines[start])
        if not 0 <= count <= len(lines) - start - 2:
            raise ValueError(f"line {start + 1}: {count} atoms, but the file ends before")
        if re.search(r":\d{5,}", lines[start + 1]):
            raise ValueError(f"line {start + 2}: more columns than a line can have")
        start += 2 + count
        while start < len(lines) and lines[start].lstrip().startswith("VEC"):
            start += 1
