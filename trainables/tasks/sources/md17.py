"""MD17 (Chmiela et al. 2017), rMD17 (Christensen and von Lilienfeld 2020) and sGDML archives, in numpy's format.

Archives of sGDML name their units (`e_unit`, `r_unit`); the others are in kcal/mol and kcal/mol/angstrom.
"""

from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from trainables.errors import BadInput
from trainables.tasks.sources.frames import Frames, Keys
from trainables.tasks.sources.units import Units, UnknownUnit, units_of
from trainables.tasks.sources.unpacking import opened_archive

_FAMILIES = (
    {"numbers": "z", "positions": "R", "energies": "E", "forces": "F"},
    {"numbers": "nuclear_charges", "positions": "coords", "energies": "energies", "forces": "forces"},
)
_CELLS = ("lattice", "cell", "cells", "pbc")


def read_md17(path: Path, keys: Keys = Keys()) -> Frames:  # noqa: B008 (immutable)
    """All frames of an archive with the keys of MD17 or rMD17.

    Cells, unknown units, and other keys than these without units are refused too.

    Args:
        keys: Names of energies and forces in the archive; those of MD17 or rMD17 if None.

    Raises:
        BadInput: If the archive is neither, or is cut short.
    """
    with opened_archive(path) as archive:
        names = _names(archive, keys, path)
        _refuse_cells(archive, path)
        units = _units(archive, names, path)
        arrays = {name: archive[key] for name, key in names.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise BadInput(f"{path}: '{names[name]}' contains {array.dtype}, expected numbers")
    numbers, energies = arrays["numbers"], arrays["energies"]
    if not (numbers == numbers.astype(np.int64)).all():
        raise BadInput(f"{path}: '{names['numbers']}' contains atomic numbers that are not whole numbers")
    if energies.shape not in ((len(energies),), (len(energies), 1)):
        raise BadInput(
            f"{path}: '{names['energies']}' has shape {energies.shape}, expected one energy for each frame"
        )
    return Frames(
        numbers.astype(np.int64).reshape(-1),
        arrays["positions"].astype(np.float64) * units.length,
        energies.astype(np.float64).reshape(-1) * units.energy,
        arrays["forces"].astype(np.float64) * units.force,
        np.array(0.0),
    )


def _names(archive: NpzFile, keys: Keys, path: Path) -> dict[str, str]:
    chosen = {name: key for name, key in (("energies", keys.energy), ("forces", keys.forces)) if key}
    complete = [names | chosen for names in _FAMILIES if set((names | chosen).values()) <= set(archive.files)]
    if not complete:
        found = ", ".join(archive.files[:20]) or "none"
        raise BadInput(
            f"{path}: has neither the keys of MD17 nor those of rMD17 (z, R, E, F or nuclear_charges, coords, "
            f"energies, forces) but {found}; if the last two have other names, set task.energy_key and "
            "task.forces_key"
        )
    return complete[0]


def _refuse_cells(archive: NpzFile, path: Path) -> None:
    for key in _CELLS:
        if key in archive.files and (np.nan_to_num(archive[key].astype(np.float64)) != 0).any():
            raise BadInput(
                f"{path}: frame 0: a periodic cell ('{key}'); cells are not supported, only molecules in vacuum; "
                f"if this is one, remove '{key}' from the archive"
            )


def _units(archive: NpzFile, names: dict[str, str], path: Path) -> Units:
    energy, length, force = (_text(archive, key) for key in ("e_unit", "r_unit", "f_unit"))
    if energy is None and names not in _FAMILIES:
        raise BadInput(
            f"{path}: the units of '{names['energies']}' and '{names['forces']}' are missing; "
            "add 'e_unit' and 'r_unit'"
        )
    if energy is None:
        energy, length = "kcal/mol", "Angstrom" if length is None else length
    try:
        return units_of(energy, length, force)
    except UnknownUnit as error:
        raise BadInput(f"{path}: e_unit, r_unit: {error}") from error


def _text(archive: NpzFile, key: str) -> str | None:
    if key not in archive.files:
        return None
    value = archive[key].reshape(-1)
    word = value[0] if len(value) == 1 else ""
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)
