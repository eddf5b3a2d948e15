"""Extended XYZ as people write it: read for what it says, or refused by its frame and line."""

import contextlib

import numpy as np
import pytest

from trainables.errors import BadInput
from trainables.tasks.forces import forces
from trainables.tasks.sources.comment_line import pairs_of
from trainables.tasks.sources.extended_xyz import read_extended_xyz
from trainables.tasks.sources.frames import Keys
from trainables.tasks.sources.units import UnknownUnit, system_of, units_of

HARTREE, BOHR, KCAL = 27.211386245988, 0.529177210903, 4184 / 96485.33212
COLUMNS = "species:S:1:pos:R:3:forces:R:3"


def frame(at, comment="energy={energy}", columns=COLUMNS):
    """One frame of water; its numbers tell which."""
    lines = [f"{symbol} {index} {at} 0.5 1 {index} -{at}.25" for index, symbol in enumerate("OHH")]
    comment = comment.format(energy=-2000 - at)
    return f"3\n{f'Properties={columns} ' if columns else ''}{comment}\n" + "".join(
        f"{line}\n" for line in lines
    )


@pytest.fixture
def read(tmp_path):
    """The frames of a file with this content."""

    def read(content, keys=Keys()):  # noqa: B008
        path = tmp_path / "mine.xyz"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_extended_xyz(path, keys)

    return read


def refused(read, content, *parts, keys=Keys()):  # noqa: B008
    with pytest.raises(BadInput) as error:
        read(content, keys)
    message = str(error.value)
    assert "mine.xyz: " in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def check(frames, count=3, energy=1.0, length=1.0, force=1.0):
    """The frames are those that `frame` wrote, in these units."""
    at = np.arange(count)
    np.testing.assert_array_equal(frames.numbers, [8, 1, 1])
    np.testing.assert_allclose(frames.energies, energy * (-2000 - at))
    np.testing.assert_allclose(frames.positions[:, :, 1], length * np.broadcast_to(at[:, None], (count, 3)))
    np.testing.assert_allclose(frames.positions[:, :, 0], length * np.broadcast_to([0, 1, 2], (count, 3)))
    np.testing.assert_allclose(frames.forces[:, 0, 2], -force * (at + 0.25))
    np.testing.assert_allclose(frames.forces[:, :, 1], force * np.broadcast_to([0, 1, 2], (count, 3)))


WHOLE = "".join(frame(at) for at in range(3))


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        WHOLE.replace("\n", "\r\n"),
        WHOLE.replace("\n", "\r"),
        WHOLE.rstrip("\n"),
        "\n".join(frame(at) for at in range(3)) + "\n\n  \n\t\n",
        "\n\n" + WHOLE,
        "\ufeff" + WHOLE,
        WHOLE.replace("3\nProp", "  3  \nProp"),
        WHOLE.replace("O ", "  o\t"),
        WHOLE.replace("H ", "1 "),
    ],
    ids=[
        "plain",
        "CRLF",
        "CR",
        "no last line end",
        "empty lines",
        "empty first",
        "BOM",
        "spaces",
        "tabs",
        "numbers",
    ],
)
def test_lines_however_they_end(read, content):
    check(read(content))


@pytest.mark.parametrize(
    "comment",
    [
        "energy={energy} source=slurm:1234567",
        "source=10.1000/xyz:20240607:123456789012345678901234567890 energy={energy}",
        "energy = {energy} note = 'it is 5:00'",
        'energy="{energy}" name="a \\"quoted\\" name = 5"',
        "energy={energy}.0e0 and more words: don't stop [here] {{or here}}",
        "empty= energy={energy}",
        "stress=[[1, 2, 3], [4, 5, 6], [7, 8, 9]] energy={energy} virial={{1 2 3}}",
        'info="_JSON {{\\"energy\\": 5}}" energy={energy}',
        'energy={energy} pbc="F F F" Lattice="9 0 0 0 9 0 0 0 9"',
        "energy={energy} pbc=[False, False, False]",
        'energy={energy} Lattice="0 0 0 0 0 0 0 0 0"',
        "free_energy=7 energies=5 energy={energy} step=00012 community=3",
    ],
)
def test_comments_whatever_they_say(read, comment):
    check(read("".join(frame(at, comment) for at in range(3))))


def test_a_comment_in_another_encoding(read):
    check(read(WHOLE.replace("energy", "author=Schütt energy").encode("latin-1")))


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("forces:R:3:species:S:1:pos:R:3", "{f} {s} {p}"),
        ("pos:R:3:tags:I:2:forces:R:3:Z:I:1", "{p} 5 5 {f} {z}"),
        ("species:S:1:pos:R:3:label:S:1:forces:R:3:mask:L:1", "{s} {p} a {f} T"),
        ("species:S:1:pos:R:3:forces:R:3", "{s} {p} {f} 9 9 9"),
        ("species:S:1:Z:I:1:energy:R:1:positions:R:3:forces:R:3", "{s} {z} 1 {p} {f}"),
    ],
)
def test_columns_in_any_order(read, columns, row):
    content = ""
    for at in range(3):
        head, comment, *atoms = frame(at, columns=columns).splitlines()
        rows = []
        for atom in atoms:
            symbol, *numbers = atom.split()
            p, f = " ".join(numbers[:3]), " ".join(numbers[3:])
            rows.append(row.format(s=symbol, z={"O": 8, "H": 1}[symbol], p=p, f=f))
        content += "\n".join([head, comment, *rows]) + "\n"
    check(read(content))


@pytest.mark.parametrize(
    ("comment", "part"),
    [
        ('pbc="T T T" energy={energy}', 'pbc="T T T"'),
        ('pbc="F F T" energy={energy}', 'pbc="F F T"'),
        ("pbc=[True, False, False] energy={energy}", "pbc="),
        ('energy={energy} Lattice="6 0 0 0 6 0 0 0 6"', "lattice without pbc"),
        ('energy={energy} PBC="1 1 0"', "pbc="),
        ('energy={energy} cell="6 0 0 0 6 0 0 0 6"', "cell without pbc"),
    ],
)
def test_periodic_cells_are_refused_with_the_frame(read, comment, part):
    content = frame(0) + frame(1) + frame(2, comment)
    refused(read, content, "frame 2: a periodic cell", part, "cells are not supported", 'pbc="F F F"')


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (WHOLE + "the end\n", "line 16: expected a number of atoms, found 'the end'"),
        (WHOLE + "VEC1 5 0 0\n", "line 16: "),
        (WHOLE + "O 0 0 0 0 0 0\n", "line 16: "),
        (WHOLE.replace("H 1 1", "\nH 1 1"), "line 9: 0 words"),
        (WHOLE + "7\n", "line 16: 7 atoms, but the file ends before"),
        (WHOLE + "0\n\n", "line 16: no atoms"),
        (WHOLE.replace("1 0 -0.25", "1 0 oops", 1), "line 3: 'oops' is not a number"),
        (WHOLE.replace("1 0 -0.25", "1 0 1_0", 1), "line 3: '1_0' is not a number"),
        (WHOLE.replace("O 0 1", "Q 0 1", 1), "line 8: 'Q' is no element"),
        (WHOLE.replace(COLUMNS, COLUMNS + ":pos:R:3", 1), "'pos' is twice"),
        (WHOLE.replace(COLUMNS, "species:S:1:pos:R:3:forces:R:4", 1), "line 3: 7 words"),
        (WHOLE.replace(COLUMNS, "species:S:1:pos:R:3:forces", 1), "line 2: Properties"),
        (WHOLE.replace("energy=", "energy=1 energy=", 1), "'energy' is given twice"),
        (WHOLE.replace("energy=", 'note="open energy=', 1), 'line 2: a quote (") is not closed'),
        (WHOLE.replace("energy=-2000", "energy=low", 1), "line 2: energy: 'low' is not a number"),
    ],
)
def test_what_is_no_frame_is_refused_by_its_line(read, content, part):
    refused(read, content, part)


def test_text_that_shifts_the_columns_is_refused(read):
    content = WHOLE.replace(COLUMNS, "species:S:1:label:S:1:pos:R:3:forces:R:3").replace("H ", "H a b ")
    refused(read, content.replace("O ", "O a "), "line 4: 9 words, but the Properties are 8 columns")


def test_numbers_of_fortran(read):
    check(read(WHOLE.replace("0.5 1", "5.0D-1 1.d0").replace("energy=-2000", "energy=-2.0D+03")))


@pytest.mark.parametrize("cut", [1, 2])
def test_a_number_cut_in_its_middle_is_refused_where_it_shows(read, cut):
    content = "".join(frame(at).replace(" 0.5 1 ", " 0.50 1.00 ") for at in range(2))
    fixed = "\n".join(
        line
        if not line.startswith(("O", "H"))
        else " ".join([line[0], *(f"{float(w):.4f}" for w in line.split()[1:])])
        for line in content.splitlines()
    )
    assert len(read(fixed)) == 2
    refused(read, fixed[:-cut], "frame 1: ", "its last line has no end")


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
def test_units_of_comments_are_used(read, comment, factors):
    energy, length, force = factors
    content = "".join(frame(at, "energy={energy} " + comment) for at in range(3))
    check(read(content), energy=energy, length=length, force=force)


@pytest.mark.parametrize(
    ("comment", "part"),
    [
        ("energy_unit=furlong", "'furlong' is no unit of energy"),
        ("r_unit=mile", "'mile' is no unit of length"),
        ("force_unit=newton", "'newton' is no unit"),
        ("units=imperial", "'imperial' is no unit"),
        ("energy_unit=MeV", "'MeV' is no unit of energy"),
        ("energy_unit=Hartree", "forces by angstrom or by bohr?"),
        ("energy_unit=unknown", "'unknown' is no unit of energy"),
    ],
)
def test_units_that_are_not_known_are_refused(read, comment, part):
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
def test_isolated_atoms_are_references_and_no_samples(read, comment):
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
        (WHOLE + atom("O", -5) + atom("O", -6) + atom("H", -1), ("frame 4: ", "second energy", "of O")),
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
def test_isolated_atoms_that_do_not_fit(read, content, parts):
    refused(read, content, *parts)


@pytest.mark.timeout(10)
def test_pairs_in_little_time():
    for line in (
        "[" * 200_000,
        "a=[ " * 50_000,
        '"\\' * 100_000,
        "k= " * 100_000,
        " " * 200_000 + "=" * 200_000,
    ):
        with contextlib.suppress(ValueError):
            pairs_of(line)
