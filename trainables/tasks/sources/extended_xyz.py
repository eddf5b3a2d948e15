"""Extended XYZ files as frames of one molecule. Lengths in angstrom, energies in eV, forces in eV/angstrom."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from ase.symbols import Symbols

from trainables.errors import BadInput
from trainables.tasks.sources.comment_line import Pairs, only
from trainables.tasks.sources.frames import Frames, Keys
from trainables.tasks.sources.units import Units, system_of, units_of
from trainables.tasks.sources.xyz_frames import XYZFrame, frames_in, number

ISOLATED = re.compile(r"isolated_?atom", re.IGNORECASE)
NO_CELLS = 'cells are not supported, only molecules in vacuum; if this is one, write pbc="F F F"'
_SAME_ENERGY = 1e-6  # eV, for an element with two isolated atoms

_QUANTITIES = {
    "energy": ("energy", "energies", "e"),
    "length": ("length", "lengths", "distance", "position", "positions", "pos", "coords", "coordinates", "r"),
    "force": ("force", "forces", "f", "gradient", "gradients"),
}


def read_extended_xyz(path: Path, keys: Keys = Keys()) -> Frames:  # noqa: B008 (immutable)
    """All frames of a file that has an energy for each frame and forces for each atom.

    Units stated in the comment lines (energy_unit=..., units=...) are converted. Frames of one atom with an
    energy are references, not samples.

    Args:
        keys: Names of energies and forces in the file; 'energy' and 'forces' if None.

    Raises:
        BadInput: If it is not such a file, has periodic cells, is cut short or mixes molecules; the message names
            file and frame.
    """
    samples: list[tuple[np.ndarray, float, np.ndarray]] = []
    isolated: dict[int, float] = {}
    first: np.ndarray | None = None
    at = -1
    for at, frame in _read(path):
        try:
            units = _units(frame.pairs)
            if _is_isolated(frame):
                _add_isolated(isolated, frame, keys.energy or "energy", units)
                continue
            _refuse_cell(frame.pairs)
            first = frame.elements if first is None else first
            if not np.array_equal(frame.elements, first):
                raise ValueError(
                    f"{Symbols(frame.elements)}, but the first is {Symbols(first)}; "
                    "a file must contain one molecule, its atoms always in the same order"
                )
            samples.append(_sample(frame, keys, units))
        except ValueError as error:
            raise BadInput(f"{path}: frame {at}: {error}") from error
    if at < 0:
        raise BadInput(f"{path}: contains no frames")
    if first is None:
        raise BadInput(f"{path}: one-atom molecules have no forces to learn; at least two atoms are needed")
    positions, energies, forces = (np.stack(arrays) for arrays in zip(*samples, strict=True))
    return Frames(first, positions, energies, forces, np.array(_reference(isolated, first, path)))


def read_atom_energies(path: Path) -> dict[int, float]:
    """Atomic number -> energy of the isolated atom in eV, from a file with one atom in each frame."""
    energies: dict[int, float] = {}
    for at, frame in _read(path):
        try:
            _add_isolated(energies, frame, "energy", _units(frame.pairs))
        except ValueError as error:
            raise BadInput(f"{path}: frame {at}: expected one atom with its energy ({error})") from error
    return energies


def _read(path: Path) -> Iterator[tuple[int, XYZFrame]]:
    # Comments may be in any encoding; the parts that are read are ASCII.
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    frames = frames_in(text)
    at = 0
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except ValueError as error:
            raise BadInput(f"{path}: frame {at}: not extended XYZ, or cut short ({error})") from error
        yield at, frame
        at += 1


def _sample(frame: XYZFrame, keys: Keys, units: Units) -> tuple[np.ndarray, float, np.ndarray]:
    """Positions, energy and forces in angstrom and eV."""
    energy = units.energy * _energy(frame, keys.energy or "energy")
    name = keys.forces or "forces"
    if name not in frame.columns:
        raise ValueError(_absent(name, frame))
    place = "pos" if "pos" in frame.columns else "positions"
    if place not in frame.columns:
        raise ValueError(f"line {frame.line + 1}: no 'pos' among the Properties")
    positions = units.length * frame.numbers_in(place, 3)
    forces = units.force * frame.numbers_in(name, 3)
    for what, values in (("positions", positions), ("energies", np.array(energy)), ("forces", forces)):
        if not np.isfinite(values).all():
            raise ValueError(f"{what} are NaN or infinite")
    return positions, energy, forces


def _energy(frame: XYZFrame, name: str) -> float:
    value = only(frame.pairs, name)
    if value is None:
        raise ValueError(_absent(name, frame))
    try:
        return number(value.strip())
    except ValueError as error:
        raise ValueError(f"line {frame.line + 1}: {name}: {error}") from error


def _absent(name: str, frame: XYZFrame) -> str:
    above = ", ".join([key for key in frame.pairs if key != "Properties"][:20])
    return (
        f"no '{name}'; the comment line has {above or 'no keys'}, the atoms {', '.join(frame.columns)}; "
        "name the right ones with task.energy_key and task.forces_key"
    )


def _is_isolated(frame: XYZFrame) -> bool:
    marked = ISOLATED.fullmatch(only(frame.pairs, "config_type") or "") is not None
    if marked and len(frame) > 1:
        raise ValueError(f"config_type declares an isolated atom, but there are {len(frame)} atoms")
    if len(frame) == 1 and not marked:
        _refuse_cell(frame.pairs)  # one atom in a cell is a crystal
    return len(frame) == 1


def _add_isolated(energies: dict[int, float], frame: XYZFrame, key: str, units: Units) -> None:
    if len(frame) != 1:
        raise ValueError(f"{len(frame)} atoms")
    (element,) = frame.elements.tolist()
    energy = units.energy * _energy(frame, key)
    if not np.isfinite(energy):
        raise ValueError("the energy is NaN or infinite")
    if abs(energies.setdefault(element, energy) - energy) > _SAME_ENERGY:
        raise ValueError(
            f"a second, different energy of the isolated atom of {chemical_symbols[element]}; keep one of them"
        )


def _reference(isolated: dict[int, float], elements: np.ndarray, path: Path) -> float:
    """The sum of the energies of the isolated atoms, 0 if the file has none."""
    for element in elements.tolist():
        if isolated and element not in isolated:
            raise BadInput(
                f"{path}: has isolated atoms, but none of {chemical_symbols[element]}; add it, or remove all "
                "isolated atoms"
            )
    return sum(isolated[element] for element in elements.tolist()) if isolated else 0.0


def _refuse_cell(pairs: Pairs) -> None:
    """Raise ValueError if the frame is periodic: by `pbc` or, without it, by a lattice (as in the format)."""
    named = {key.lower(): only(pairs, key) for key in pairs if key.lower() in ("pbc", "lattice", "cell")}
    pbc = named.get("pbc")
    if pbc is not None:
        words = re.findall(r"[^\s,\[\]]+", pbc.lower())
        unknown = set(words) - {"t", "true", "1", "f", "false", "0"}
        if unknown or not words:
            raise ValueError(f'pbc="{pbc}" is not T or F three times')
        if set(words) & {"t", "true", "1"}:
            raise ValueError(f'a periodic cell (pbc="{pbc}"); {NO_CELLS}')
        return
    for key in ("lattice", "cell"):
        if key in named and any(
            word.strip("0.eE+-") for word in re.findall(r"[^\s,\[\]]+", named[key] or "")
        ):
            raise ValueError(f"a periodic cell ({key} without pbc); {NO_CELLS}")


def _units(pairs: Pairs) -> Units:
    """The factors of the units that a comment line states, in any keys with the word 'unit' or 'units'."""
    stated: dict[str, str | None] = {"energy": None, "length": None, "force": None}
    for key in pairs:
        words = re.split(r"[_\-. ]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower())
        if not {"unit", "units"} & set(words):
            continue
        value = only(pairs, key) or ""
        quantities = [name for name, names in _QUANTITIES.items() if set(words) & set(names)]
        if quantities:
            stated[quantities[-1]] = value
        elif set(words) <= {"unit", "units", "system"}:
            for name, unit in zip(stated, system_of(value), strict=True):
                stated[name] = stated[name] or unit
    return units_of(stated["energy"], stated["length"], stated["force"])
