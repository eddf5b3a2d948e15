"""Units of energy, length and force by the names that files give them, in eV and angstrom.

Values: CODATA 2018; the calorie is the thermochemical one, 4.184 J.
"""

import re
from dataclasses import dataclass

_MOLE = 96485.33212  # joule per mole in an electronvolt per particle
_HARTREE = 27.211386245988
_BOHR = 0.529177210903
EV_PER_KCAL_PER_MOL = 4184 / _MOLE

_ENERGIES = {
    **dict.fromkeys(("ev", "electronvolt", "electronvolts"), 1.0),
    **dict.fromkeys(("mev", "millielectronvolt"), 1e-3),
    **dict.fromkeys(("hartree", "hartrees", "ha", "eh", "e_h", "au", "atomic"), _HARTREE),
    **dict.fromkeys(("mhartree", "millihartree", "mha", "meh"), 1e-3 * _HARTREE),
    **dict.fromkeys(("rydberg", "rydbergs", "ry"), _HARTREE / 2),
    **dict.fromkeys(("kcal/mol", "kcal/mole", "kcal"), EV_PER_KCAL_PER_MOL),
    **dict.fromkeys(("cal/mol", "cal/mole"), 1e-3 * EV_PER_KCAL_PER_MOL),
    **dict.fromkeys(("kj/mol", "kj/mole", "kj"), 1000 / _MOLE),
    **dict.fromkeys(("j/mol", "j/mole"), 1 / _MOLE),
}
_LENGTHS = {
    **dict.fromkeys(("angstrom", "angstroms", "ang", "angs", "a", "å"), 1.0),
    **dict.fromkeys(("bohr", "bohrs", "a0", "a_0", "au", "atomic"), _BOHR),
    **dict.fromkeys(("nm", "nanometer", "nanometers"), 10.0),
    **dict.fromkeys(("pm", "picometer", "picometers"), 0.01),
}
_SYSTEMS = {
    "metal": ("ev", "angstrom"),
    "real": ("kcal/mol", "angstrom"),
    **dict.fromkeys(("atomic", "au", "hartree/bohr"), ("hartree", "bohr")),
}


class UnknownUnit(ValueError):
    """A stated unit that is unknown; the message names it and the remedy."""


@dataclass(frozen=True)
class Units:
    """Factors to eV, angstrom and eV/angstrom."""

    energy: float = 1.0
    length: float = 1.0
    force: float = 1.0


def units_of(energy: str | None, length: str | None, force: str | None = None) -> Units:
    """The factors of the units that a file states; units not stated are eV and angstrom.

    A force unit that is not stated is the energy unit divided by the length unit. Raises UnknownUnit if a
    name is not known, and for energies in hartree or rydberg whose forces may be per angstrom or per bohr.
    """
    energy_factor = 1.0 if energy is None else _factor(_ENERGIES, "energy", energy)
    length_factor = 1.0 if length is None else _factor(_LENGTHS, "length", length)
    if force is not None:
        return Units(energy_factor, length_factor, _force_factor(force))
    if length is None and energy_factor in (_HARTREE, _HARTREE / 2, 1e-3 * _HARTREE):
        raise UnknownUnit(
            f"energies in '{energy}', but forces per angstrom or per bohr? state the units of forces and lengths too"
        )
    return Units(energy_factor, length_factor, energy_factor / length_factor)


def system_of(text: str) -> tuple[str | None, str | None, str | None]:
    """The units of energy, length and force in one text such as 'eV, Angstrom', 'metal' or 'kcal/mol/Ang'."""
    if (name := _plain(text)) in _SYSTEMS:
        return *_SYSTEMS[name], None
    energy, length, force = None, None, None
    for part in re.split(r"[,;\s]+", re.sub(r"\s+mol\^?-1", "/mol", text.strip())):
        if _known(_ENERGIES, part):
            energy = part
        elif _known(_LENGTHS, part):
            length = part
        else:
            _force_factor(part)
            force = part
    if force is not None and energy is None:
        energy = re.split(r"/(?=[^/]*$)", _plain(force))[0]
    return energy, length, force


def _plain(name: str) -> str:
    """Lower case, without spaces and brackets; 'kcal mol^-1 A^-1' and 'kcal/(mol*A)' become 'kcal/mol/a'."""
    name = re.sub(
        r"[\s*·.]*\b(mol|mole|ang|angstrom|a|å|bohr|a0|nm)\s*(?:\^|\*\*)?\{?[-−]1\}?",
        r"/\1",
        name,
        flags=re.I,
    )
    return re.sub(r"[*·]", "/", re.sub(r"[\s().\[\]{}]", "", name)).lower().replace("//", "/")


def _known(factors: dict[str, float], name: str) -> bool:
    mega = name.strip().startswith("M") and _plain(name).startswith(("mev", "mha", "meh"))
    return _plain(name) in factors and not mega


def _factor(factors: dict[str, float], quantity: str, name: str) -> float:
    if not _known(factors, name):
        some = "eV, kcal/mol, kJ/mol, Hartree" if quantity == "energy" else "Angstrom, bohr, nm"
        raise UnknownUnit(f"'{name}' is not a known unit of {quantity}; convert the file to one of {some}")
    return factors[_plain(name)]


def _force_factor(name: str) -> float:
    plain = _plain(name)
    if plain in ("au", "atomic"):
        return _HARTREE / _BOHR
    energy, _, length = plain.rpartition("/")
    if not (_known(_ENERGIES, energy) and _known(_LENGTHS, length)) or name.strip().startswith("M"):
        raise UnknownUnit(
            f"'{name}' is not a known unit; convert the file to eV and angstrom, or write, for example, eV/Angstrom"
        )
    return _ENERGIES[energy] / _LENGTHS[length]
