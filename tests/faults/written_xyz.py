"""Random extended XYZ files, written by hand and by ase."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from written_files import Written, meant, numbers, pick, text_of
from written_molecules import ENERGIES, LENGTHS, SYMBOLS, molecule

from trainables.tasks.sources.extended_xyz import read_extended_xyz
from trainables.tasks.sources.frames import Keys, check_frames


def cell(random):
    """Text about the cell for a comment, and whether it makes the cell periodic."""
    return pick(
        random,
        ("", False), ("", False), ('pbc="F F F"', False), ('Lattice="9 0 0 0 9 0 0 0 9" pbc="F F F"', False),
        ("pbc=[F, F, F] Lattice='9.0 0 0 1 9 0 0 2 9'", False), ('Lattice="0 0 0 0 0 0 0 0 0"', False),
        ('pbc="T T T" Lattice="9 0 0 0 9 0 0 0 9"', True), ('Lattice="9 0 0 0 9 0 0 0 9"', True),
        ("pbc=[False, True, False]", True), ('Lattice="9 0 0 0 9 0 0 0 9" pbc="F F T"', True),
    )  # fmt: skip


def units(random):
    """Text about units for a comment, with the factors of energy, length and force; None if a unit is unknown."""
    energy, length = pick(random, *ENERGIES), pick(random, *LENGTHS)
    e, r = ENERGIES[energy], LENGTHS[length]
    return pick(
        random,
        ("", (1.0, 1.0, 1.0)), ("", (1.0, 1.0, 1.0)), (f"energy_unit={energy} length_unit={length}", (e, r, e / r)),
        (f"e_unit={energy} r_unit={length}", (e, r, e / r)), (f'units="{energy}, {length}"', (e, r, e / r)),
        (f"energy_units='{energy}' force_units={energy}/{length}", (e, 1.0, e / r)), ("stress_unit=GPa", (1.0,) * 3),
        (f"pos_unit={length} force_unit='{energy}/{length}'", (1.0, r, e / r)), ("energy_unit=parsec", None),
        ("units=imperial", None), (f"r_unit=mile e_unit={energy}", None),
    )  # fmt: skip


EXTRAS = [
    "step=12", "source=slurm:1234567", "note=\"it's 5:00, a=b\"", "stress=[[1, 2], [3, 4]]", "plain words",
    'empty=""', "virial={1 2 3}", "doi:10.1/x:20240607", "free_energy=99", "name='a \"b\" c'", "T=300K",
    'j="_JSON {\\"a\\": 1}"',
]  # fmt: skip
COLUMNS = ["tags:I:1", "label:S:1", "mask:L:3", "charge:R:1", "velo:R:3", "energies:R:1"]


def xyz_by_hand(random, folder):
    made = molecule(random)
    names = pick(
        random,
        ("energy", "forces"),
        ("REF_energy", "REF_forces"),
        ("TotEnergy", "force"),
        ("E", "dft_forces"),
    )
    periodic, (stated, factors) = False, units(random)
    columns = [pick(random, "species:S:1", "Z:I:1"), "pos:R:3", f"{names[1]}:R:3"]
    columns += list(random.choice(COLUMNS, random.integers(4), replace=False))
    columns = [str(column) for column in random.permutation(columns)]
    blocks, positions, energies, forces = [], [], [], []
    isolated = random.random() < 0.3
    if isolated:
        references = {symbol: repr(float(numbers(random)) - 50) for symbol in made.symbols}
        for symbol, energy in references.items():
            comment = f"Properties=species:S:1:pos:R:3 config_type=IsolatedAtom {names[0]}={energy} {stated}"
            blocks.append(f"1\n{comment}\n{symbol} 0 0 0")
    for at in range(len(made.energies)):
        box, closed = cell(random) if random.random() < 0.2 else ("", False)
        periodic |= closed
        energy = text_of(random, made.energies[at])
        words = [
            f"Properties={':'.join(columns)}",
            pick(random, f"{names[0]}={energy}", f'{names[0]} = "{energy}"'),
        ]
        words += [box, stated, *random.choice(EXTRAS, random.integers(4), replace=False)]
        rows = []
        for index, symbol in enumerate(made.symbols):
            place, force = (
                [text_of(random, x) for x in array[at, index]] for array in (made.positions, made.forces)
            )
            positions.append(place)
            forces.append(force)
            cells = {
                "species": symbol,
                "Z": str(SYMBOLS[symbol]),
                "pos": "  ".join(place),
                names[1]: " ".join(force),
            }
            cells |= {
                "tags": "1",
                "label": "a1",
                "mask": "T F T",
                "charge": "0.1",
                "velo": "1 2 3",
                "energies": "7",
            }
            rows.append("\t".join(cells[column.split(":")[0]] for column in columns))
        energies.append(energy)
        comment = " ".join(str(word) for word in random.permutation([word for word in words if word]))
        blocks.append("\n".join([f" {len(rows)}", comment, *rows]))
    gap = pick(random, "\n", "\n\n", "\n \t\n\n")
    text = pick(random, "", "\ufeff", "\n") + gap.join(blocks) + pick(random, "", "\n", "\n\n", "\n  \n")
    path = folder / "mine.xyz"
    path.write_bytes(text.replace("\n", pick(random, "\n", "\r\n", "\r")).encode())
    keys = Keys(*(None if name in ("energy", "forces") else name for name in names))
    if periodic or factors is None:
        return Written(path, None, keys=keys)
    shape = made.positions.shape
    arrays = {
        "numbers": np.array([SYMBOLS[symbol] for symbol in made.symbols]),
        "energies": factors[0] * np.array([meant(text) for text in energies]),
        "positions": factors[1] * np.array([[meant(x) for x in row] for row in positions]).reshape(shape),
        "forces": factors[2] * np.array([[meant(x) for x in row] for row in forces]).reshape(shape),
        "reference": np.array(
            factors[0] * sum(float(references[symbol]) for symbol in made.symbols) if isolated else 0.0
        ),
    }
    return Written(path, arrays, keys=keys)


def xyz_by_ase(random, folder):
    made = molecule(random)
    own_names, periodic = random.random() < 0.5, False
    stated, factors = units(random)
    known = {key: value.strip("'\"") for key, value in (word.split("=", 1) for word in _words(stated))}
    frames = []
    for at, energy in enumerate(made.energies.tolist()):
        atoms = Atoms(made.symbols, positions=made.positions[at])
        if random.random() < 0.4:
            atoms.cell, atoms.pbc = 9 * np.eye(3) + 0.1, random.random(3) < 0.15
            periodic |= bool(atoms.pbc.any())
        atoms.info |= {
            "step": at,
            "note": pick(random, "a = 'b'", "5:00", 'say "x"', "{a}"),
            "ok": True,
            **known,
        }
        atoms.info["table"] = pick(random, np.arange(3), np.eye(2), [{"a": 1}], "[1, 2")
        atoms.set_array("tags", random.integers(9, size=len(atoms)))
        if random.random() < 0.5:
            atoms.set_array("charges", numbers(random, len(atoms)))
        if own_names:
            atoms.info["REF_energy"] = energy
            atoms.set_array("REF_forces", made.forces[at])
        else:
            more = (
                {"stress": numbers(random, 6), "dipole": numbers(random, 3)} if random.random() < 0.5 else {}
            )
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=made.forces[at], **more)
        frames.append(atoms)
    path = folder / "mine.extxyz"
    write(path, frames, format="extxyz")
    keys = Keys("REF_energy", "REF_forces") if own_names else Keys()
    if periodic or factors is None:
        return Written(path, None, keys=keys)
    arrays = {
        "numbers": frames[0].numbers,
        "energies": factors[0] * made.energies,
        "positions": factors[1] * made.positions,
        "forces": factors[2] * made.forces,
        "reference": np.array(0.0),
    }
    return Written(path, arrays, atol=6e-9 * max(1.0, *factors), keys=keys)


def _words(stated):
    """The pairs of a comment, with quoted values kept whole."""
    pieces, open_quote = [], ""
    for word in stated.split():
        if open_quote:
            pieces[-1] += f" {word}"
        else:
            pieces.append(word)
        for mark in ("'", '"'):
            if word.count(mark) % 2:
                open_quote = "" if open_quote else mark
    return pieces


def read_xyz(written):
    frames = read_extended_xyz(written.path, written.keys)
    check_frames(frames, written.path)
    return vars(frames)
