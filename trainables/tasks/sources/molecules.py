"""The files of a molecule in the data folder, and their frames, read once per machine."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainables.errors import BadInput, nearest
from trainables.tasks.cache import cached_arrays
from trainables.tasks.datasets import checked_sha256
from trainables.tasks.sources.extended_xyz import read_atom_energies, read_extended_xyz
from trainables.tasks.sources.frames import Frames, Keys, check_frames
from trainables.tasks.sources.md17 import read_md17

EDITION = 2  # raised when the same bytes give other frames: cached frames of an earlier one are not used
READERS = {".xyz": read_extended_xyz, ".extxyz": read_extended_xyz, ".npz": read_md17}


@dataclass(frozen=True)
class Files:
    """Paths within the data folder.

    Attributes:
        pool: The frames to split.
        tests: Further frames, by the name of their test set.
        atoms: Energies of the isolated atoms, None for no reference energies.
    """

    pool: str
    tests: dict[str, str] = field(default_factory=dict)
    atoms: str | None = None


MOLECULES = {
    "ethanol": Files(
        "botnet/ethanol_train.xyz",
        {"test": "botnet/ethanol_test_MD.xyz"},
        "botnet/ethanol_isolated_atoms.xyz",
    ),
    "acetylacetone": Files(
        "botnet/acac_train_300K.xyz",
        {"test": "botnet/acac_test_MD_300K.xyz", "test_600K": "botnet/acac_test_MD_600K.xyz"},
        "botnet/acac_isolated_atoms.xyz",
    ),
}

# The folders are torch-geometric's for its MD17 data set with the root <data folder>/MD17.
_MD17 = {
    "aspirin": "md17_aspirin",
    "azobenzene": "azobenzene_dft",
    "benzene": "md17_benzene2017",
    "ethanol": "md17_ethanol",
    "malonaldehyde": "md17_malonaldehyde",
    "naphthalene": "md17_naphthalene",
    "paracetamol": "paracetamol_dft",
    "salicylic acid": "md17_salicylic",
    "toluene": "md17_toluene",
    "uracil": "md17_uracil",
}
_RMD17 = (
    "aspirin", "azobenzene", "benzene", "ethanol", "malonaldehyde",
    "naphthalene", "paracetamol", "salicylic", "toluene", "uracil",
)  # fmt: skip
MOLECULES |= {stem: Files(f"MD17/{folder}/raw/{stem}.npz") for folder, stem in _MD17.items()}
MOLECULES |= {f"rmd17_{name}": Files(f"MD17/raw/rmd17/npz_data/rmd17_{name}.npz") for name in _RMD17}


def molecule_files(molecule: str) -> Files:
    """The files of a known molecule, or of a user's own .xyz, .extxyz or .npz file in the data folder."""
    if molecule in MOLECULES:
        return MOLECULES[molecule]
    if Path(molecule).suffix in READERS:
        return Files(molecule)
    raise BadInput(
        f"task.molecule: unknown '{molecule}'; {nearest(molecule, list(MOLECULES))} "
        f"or a file of the data folder that ends in {', '.join(READERS)}"
    )


def read_frames(folder: Path, path: str, keys: Keys) -> Frames:
    """The checked frames of a file of the data folder, memory-mapped from the cache after the first time.

    Args:
        keys: Names of energies and forces in the file.
    """
    file = folder / path
    digest = checked_sha256(folder, path, "task.molecule")

    def make() -> dict[str, np.ndarray]:
        frames = READERS[file.suffix](file, keys)
        check_frames(frames, file)
        return vars(frames)

    content = {"sha256": digest, "format": file.suffix, "keys": keys, "version": EDITION}
    return Frames(**cached_arrays(folder, "frames", content, make))


def reference_energy(folder: Path, path: str | None, numbers: np.ndarray) -> float:
    """The sum of the energies of the isolated atoms in eV; 0 if no file gives them."""
    if path is None:
        return 0.0
    checked_sha256(folder, path, "task.molecule")
    energies = read_atom_energies(folder / path)
    unknown = sorted(set(numbers.tolist()) - energies.keys())
    if unknown:
        raise BadInput(f"{folder / path}: no isolated atom with atomic number {unknown[0]}")
    return sum(energies[number] for number in numbers.tolist())
