"""Files of molecules: public ones as published, bad frames named and refused, each file read once."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from water import SMALL, water, water_file

from trainables.errors import BadInput
from trainables.tasks.forces import forces

BOTNET = Path(__file__).parents[4] / "shared" / "data" / "botnet"
needs_data = pytest.mark.skipif(not BOTNET.exists(), reason="the public files are not on this machine")
pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def folder(tmp_path) -> Path:
    return water_file(tmp_path)


@pytest.fixture
def botnet(tmp_path) -> Path:
    """A copy of the public files, since their folder may be read-only."""
    shutil.copytree(BOTNET, tmp_path / "botnet")
    return tmp_path


@needs_data
def test_reference_energies_of_ethanol(botnet):
    task = forces(botnet, train=40, val=10, test=20)
    first = task.splits["train"]
    energies = first["energies"] + task.mean
    # Two carbon, one oxygen and six hydrogen atoms, by hand from the file of isolated atoms.
    reference = 2 * -1025.2770951782686 - 2035.5709809589698 + 6 * -13.568422383046626
    lines = (botnet / "botnet" / "ethanol_train.xyz").read_text()
    totals = np.array([float(value) for value in re.findall(r"energy=(-[\d.]+)", lines)])
    below = np.abs(totals[None] - reference - energies.numpy()[:, None]).min(1)
    assert below.max() < 1e-9
    assert energies.abs().max() < 50
    assert first["forces"].shape == (40, 9, 3)
    assert set(task.splits) == {"train", "val", "test"}


@needs_data
def test_acetylacetone_has_a_second_test_set_at_600_kelvin(botnet):
    task = forces(botnet, molecule="acetylacetone", train=450, val=50, test=1000)
    assert {name: len(split["energies"]) for name, split in task.splits.items()} == {
        "train": 450, "val": 50, "test": 650, "test_600K": 650,
    }  # fmt: skip
    # Hotter molecules feel larger forces.
    force = {name: split["forces"].abs().mean().item() for name, split in task.splits.items()}
    assert force["test_600K"] > 1.2 * force["test"]
    assert force["test"] == pytest.approx(force["train"], rel=0.05)


@needs_data
def test_a_public_file_that_was_changed_is_refused(botnet):
    file = botnet / "botnet" / "ethanol_train.xyz"
    file.write_text(file.read_text().replace("0.40162460", "0.40162461", 1))
    with pytest.raises(BadInput, match=r"ethanol_train\.xyz.*SHA-256.*study data ethanol"):
        forces(botnet)


def frames_with(bad: Atoms, at: int = 7) -> list[Atoms]:
    frames = [water(seed) for seed in range(20)]
    frames[at] = bad
    return frames


NAN_FORCES = np.full((3, 3), np.nan)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (water(0, symbols="OHF"), r"frame 7: .*OHF.*one molecule"),
        (water(0, symbols="HOH"), r"frame 7: .*one molecule, its atoms always in the same order"),
        (water(0, forces=NAN_FORCES), r"frame 7: forces are NaN"),
        (water(0, energy=float("inf")), r"frame 7: energies are NaN or infinite"),
        (Atoms("OHH", positions=np.eye(3)), r"frame 7: no 'energy'"),
        (Atoms("He"), r"frame 7: "),
    ],
)
def test_a_bad_frame_is_named(folder, bad, complaint):
    write(folder / "water.xyz", frames_with(bad), format="extxyz")
    with pytest.raises(BadInput, match=r"water\.xyz: " + complaint):
        forces(folder, molecule="water.xyz", **SMALL)
    assert not list(folder.glob("cache/frames*/*"))


def test_nan_coordinates_are_named(folder):
    bad = water(0)
    bad.positions[1, 2] = np.nan
    write(folder / "water.xyz", frames_with(bad), format="extxyz")
    with pytest.raises(BadInput, match=r"water\.xyz: frame 7: positions are NaN"):
        forces(folder, molecule="water.xyz", **SMALL)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text[: text.rindex("H ")], r"frame \d+: not extended XYZ, or cut short"),
        (
            lambda text: text[: text.rindex("Lattice") if "Lattice" in text else text.rindex("Prop")],
            r"frame \d+: ",
        ),
        (lambda text: text[:-3], r"frame 19: .*\(line 100: truncated; the last line has no line break\)"),
        (lambda text: "", "contains no frames"),
        (lambda text: "hello\nworld\n", "frame 0: not extended XYZ"),
        (lambda text: "\x00\xff\xfe" * 100, "frame 0: not extended XYZ"),
    ],
)
def test_files_cut_short_or_foreign(folder, change, complaint):
    file = folder / "water.xyz"
    file.write_text(change(file.read_text()))
    with pytest.raises(BadInput, match=r"water\.xyz: " + complaint):
        forces(folder, molecule="water.xyz", **SMALL)


def test_one_atom_molecules_are_refused(folder):
    atom = Atoms("He", positions=[[0, 0, 0]])
    atom.calc = SinglePointCalculator(atom, energy=-1.0, forces=np.zeros((1, 3)))
    write(folder / "atom.xyz", [atom] * 20, format="extxyz")
    with pytest.raises(BadInput, match=r"atom\.xyz: one-atom molecules"):
        forces(folder, molecule="atom.xyz", **SMALL)


def test_missing_files_and_unknown_names(tmp_path):
    with pytest.raises(BadInput, match=r"ethanol_train\.xyz.*study data ethanol"):
        forces(tmp_path)
    with pytest.raises(BadInput, match=r"mine\.xyz.*--data-dir"):
        forces(tmp_path, molecule="mine.xyz")
    with pytest.raises(BadInput, match=r"task\.molecule: unknown 'etanol'; did you mean 'ethanol'"):
        forces(tmp_path, molecule="etanol")


def test_more_frames_than_the_file_has(folder):
    with pytest.raises(BadInput, match=r"task\.train: 950 training and 50 validation frames.*20 in all"):
        forces(folder, molecule="water.xyz")


def test_frames_are_read_once_and_a_changed_file_is_read_again(folder, monkeypatch):
    import trainables.tasks.sources.molecules as molecules

    reads = []
    reader = molecules.READERS[".xyz"]
    monkeypatch.setitem(
        molecules.READERS, ".xyz", lambda path, keys: reads.append(path) or reader(path, keys)
    )
    first = forces(folder, molecule="water.xyz", **SMALL)
    again = forces(folder, molecule="water.xyz", **SMALL)
    assert len(reads) == 1
    assert torch.equal(first.splits["train"]["forces"], again.splits["train"]["forces"])
    write(folder / "water.xyz", [water(seed) for seed in range(100, 120)], format="extxyz")
    changed = forces(folder, molecule="water.xyz", **SMALL)
    assert len(reads) == 2
    assert not torch.equal(first.splits["train"]["forces"], changed.splits["train"]["forces"])


def test_a_folder_that_cannot_be_written_is_still_read(folder):
    (folder / "cache").write_text("a file where the cache belongs")
    assert len(forces(folder, molecule="water.xyz", **SMALL).splits["train"]["energies"]) == 6
