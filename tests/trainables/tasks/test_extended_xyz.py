"""Extended XYZ as people write it: read as it is meant, or refused with its frame and line named."""

import contextlib
from functools import partial

import pytest
from xyz_frames import COLUMNS, WHOLE, check, frame, read_content, refused

from trainables.tasks.sources.comment_line import pairs_of


@pytest.fixture
def read(tmp_path):
    """The frames of a file with this content."""
    return partial(read_content, tmp_path / "mine.xyz")


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
def test_lines_however_they_are_laid_out(read, content):
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
def test_any_comment_is_accepted(read, comment):
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
        (WHOLE + "7\n", "line 16: 7 atoms, but the file ends too early"),
        (WHOLE + "0\n\n", "line 16: no atoms"),
        (WHOLE.replace("1 0 -0.25", "1 0 oops", 1), "line 3: 'oops' is not a number"),
        (WHOLE.replace("1 0 -0.25", "1 0 1_0", 1), "line 3: '1_0' is not a number"),
        (WHOLE.replace("O 0 1", "Q 0 1", 1), "line 8: 'Q' is not an element"),
        (WHOLE.replace(COLUMNS, COLUMNS + ":pos:R:3", 1), "'pos' appears twice"),
        (WHOLE.replace(COLUMNS, "species:S:1:pos:R:3:forces:R:4", 1), "line 3: 7 words"),
        (WHOLE.replace(COLUMNS, "species:S:1:pos:R:3:forces", 1), "line 2: Properties"),
        (WHOLE.replace("energy=", "energy=1 energy=", 1), "'energy' is given twice"),
        (WHOLE.replace("energy=", 'note="open energy=', 1), 'line 2: a quote (") is not closed'),
        (WHOLE.replace("energy=-2000", "energy=low", 1), "line 2: energy: 'low' is not a number"),
    ],
)
def test_invalid_frames_are_refused_with_their_line(read, content, part):
    refused(read, content, part)


def test_text_that_shifts_the_columns_is_refused(read):
    content = WHOLE.replace(COLUMNS, "species:S:1:label:S:1:pos:R:3:forces:R:3").replace("H ", "H a b ")
    refused(read, content.replace("O ", "O a "), "line 4: 9 words, but the Properties declare 8 columns")


def test_fortran_numbers(read):
    check(read(WHOLE.replace("0.5 1", "5.0D-1 1.d0").replace("energy=-2000", "energy=-2.0D+03")))


@pytest.mark.parametrize("cut", [1, 2])
def test_a_truncated_last_number_is_refused_if_it_shows(read, cut):
    content = "".join(frame(at).replace(" 0.5 1 ", " 0.50 1.00 ") for at in range(2))
    fixed = "\n".join(
        line
        if not line.startswith(("O", "H"))
        else " ".join([line[0], *(f"{float(w):.4f}" for w in line.split()[1:])])
        for line in content.splitlines()
    )
    assert len(read(fixed)) == 2
    refused(read, fixed[:-cut], "frame 1: ", "the last line has no line break")


@pytest.mark.timeout(10)
def test_pairs_are_parsed_quickly():
    for line in (
        "[" * 200_000,
        "a=[ " * 50_000,
        '"\\' * 100_000,
        "k= " * 100_000,
        " " * 200_000 + "=" * 200_000,
    ):
        with contextlib.suppress(ValueError):
            pairs_of(line)
