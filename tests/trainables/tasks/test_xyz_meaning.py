"""What an extended XYZ file says besides its numbers: units, names of energy and forces, isolated atoms."""

from functools import partial

import numpy as np
import pytest
from xyz_frames import COLUMNS, WHOLE, check, frame, read_content, refused

from trainables.errors import BadInput
from trainables.tasks.forces import forces
from trainables.tasks.sources.frames import Keys
from trainables.tasks.sources.units import UnknownUnit, system_of, units_of

HARTREE, BOHR, KCAL = 27.211386245988, 0.529177210903, 4184 / 96485.33212


@pytest.fixture
def read(tmp_path):
    """The frames of a file with this content."""
    return partial(read_content, tmp_path / "mine.xyz")


@pytest.mark.parametrize(
    ("comment", "factors"),
    [
        ("energy_unit=eV", (1, 1, 1)),
        ("energy_unit=kcal/mol", (KCAL, 1, KCAL)),
        ("e_unit=kcal/mol r_unit=Ang", (KCAL, 1, KCAL)),
        ("e_unit=Hartree r_unit=bohr", (HARTREE, BOHR, HARTREE / BOHR)),
        ("energyUnit=Hartree forces_unit=Hartree/Angstrom", (HARTREE, 1, HARTREE)),
        ("energy_units=meV pos_units=nm force_units=eV/Å", (1e-3, 10, 1)),
        ('units="eV, Angstrom" dipole_unit=Debye', (1, 1, 1)),
        ("units=atomic", (HARTREE, BOHR, HARTREE / BOHR)),
        ('units="kcal mol-1"', (KCAL, 1, KCAL)),
        ("unit=kJ/mol/nm length_unit=nm", (1 / 96.48533212, 10, 0.1 / 96.48533212)),
    ],
)
def test_units_in_comments_are_used(read, comment, factors):
    energy, length, force = factors
    content = "".join(frame(at, "energy={energy} " + comment) for at in range(3))
    check(read(content), energy=energy, length=length, force=force)


@pytest.mark.parametrize(
    ("comment", "part"),
    [
        ("energy_unit=furlong", "'furlong' is not a known unit of energy"),
        ("r_unit=mile", "'mile' is not a known unit of length"),
        ("force_unit=newton", "'newton' is not a known unit"),
        ("units=imperial", "'imperial' is not a known unit"),
        ("energy_unit=MeV", "'MeV' is not a known unit of energy"),
        ("energy_unit=Hartree", "forces per angstrom or per bohr?"),
        ("energy_unit=unknown", "'unknown' is not a known unit of energy"),
    ],
)
def test_unknown_units_are_refused(read, comment, part):
    refused(read, frame(0) + frame(1, "energy={energy} " + comment), "frame 1: ", part)


def test_units_in_one_text():
    assert system_of("metal") == ("ev", "angstrom", None)
    assert units_of(*system_of("kcal/(mol*Ang)")).force == pytest.approx(KCAL)
    assert units_of(None, None).energy == 1
    with pytest.raises(UnknownUnit):
        system_of("hogshead")


@pytest.mark.parametrize(
    "names", [("REF_energy", "REF_forces"), ("dft_energy", "dft_forces"), ("TotEnergy", "force"), ("E", "F")]
)
def test_other_names_of_energy_and_forces(read, names):
    content = WHOLE.replace("energy", names[0]).replace("forces", names[1])
    check(read(content, Keys(*names)))
    refused(
        read, content, "frame 0: no 'energy'", f"the comment line has {names[0]}", f"species, pos, {names[1]}"
    )
    refused(read, content, "no 'forces'", "task.forces_key", names[1], keys=Keys(names[0]))


def test_other_names_are_options_of_the_task(tmp_path):
    content = (
        "".join(frame(at) for at in range(8)).replace("energy", "REF_energy").replace("forces", "REF_forces")
    )
    (tmp_path / "mine.xyz").write_text(content)
    options = {"molecule": "mine.xyz", "train": 4, "val": 2, "test": 2}
    with pytest.raises(BadInput, match=r"task\.energy_key"):
        forces(tmp_path, **options)
    task = forces(tmp_path, **options, energy_key="REF_energy", forces_key="REF_forces")
    assert len(task.splits["train"]["energies"]) == 4
    with pytest.raises(BadInput, match="negative of the forces"):
        forces(tmp_path, **options, energy_key="REF_energy", forces_key="gradient")


def atom(symbol, energy, comment="config_type=IsolatedAtom"):
    return f"1\nProperties={COLUMNS} {comment} energy={energy}\n{symbol} 0 0 0 0 0 0\n"


@pytest.mark.parametrize("comment", ["config_type=IsolatedAtom", "config_type=isolated_atom pbc='T T T'", ""])
def test_isolated_atoms_are_references_and_not_samples(read, comment):
    frames = read(atom("H", -13.5, comment) + WHOLE + atom("O", -1900, comment) + atom("N", -5))
    check(frames)
    assert frames.reference == -1900 - 2 * 13.5


def test_isolated_atoms_change_no_target(tmp_path):
    whole = "".join(frame(at) for at in range(8))
    (tmp_path / "without.xyz").write_text(whole)
    (tmp_path / "with.xyz").write_text(atom("O", -1900) + atom("H", -13.5) + whole)
    plain, known = (
        forces(tmp_path, molecule=f"{name}.xyz", train=4, val=2, test=2) for name in ("without", "with")
    )
    assert known.mean == pytest.approx(plain.mean + 1927)
    for name in plain.splits:
        np.testing.assert_allclose(plain.splits[name]["energies"], known.splits[name]["energies"], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (
            WHOLE + atom("O", -5) + atom("O", -6) + atom("H", -1),
            ("frame 4: ", "second, different energy", "of O"),
        ),
        (WHOLE + atom("O", -5), ("none of H",)),
        (WHOLE + atom("O", "nan"), ("frame 3: ", "NaN")),
        (WHOLE + atom("O", -5, 'pbc="T T T"'), ("frame 3: a periodic cell",)),
        (
            WHOLE + frame(3, "energy=1 config_type=IsolatedAtom"),
            ("frame 3: ", "isolated atom, but there are 3"),
        ),
        (WHOLE + atom("O", -5).replace("energy", "E"), ("frame 3: no 'energy'",)),
    ],
)
def test_inconsistent_isolated_atoms_are_refused(read, content, parts):
    refused(read, content, *parts)
