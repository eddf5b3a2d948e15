"""Frames of one molecule: the common form into which every source of energies and forces is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainables.errors import BadInput


class Keys(NamedTuple):
    """Names of energies and forces in a file; None for the usual names of its format."""

    energy: str | None = None
    forces: str | None = None


@dataclass(frozen=True)
class Frames:
    """Conformations of one molecule, its atoms always in the same order.

    Attributes:
        numbers: (atoms,) atomic numbers.
        positions: (frames, atoms, 3), angstrom.
        energies: (frames,), eV, as in the file.
        forces: (frames, atoms, 3), eV/angstrom.
        reference: (), the sum of the energies of the isolated atoms in eV, 0 if the file has none.
    """

    numbers: np.ndarray
    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    reference: np.ndarray

    def __len__(self) -> int:
        return len(self.energies)


def check_disjoint(splits: list[tuple[Frames, Path, np.ndarray]]) -> None:
    """Raise BadInput if two splits have a frame with the same positions: a test would repeat the training.

    Args:
        splits: Frames, their file and the indices of those in the split.
    """
    seen: dict[bytes, tuple[int, Path, int]] = {}
    for split, (frames, path, index) in enumerate(splits):
        for frame in index.tolist():
            first, other, at = seen.setdefault(frames.positions[frame].tobytes(), (split, path, frame))
            if first != split:
                pair = f"{path}: frames {min(at, frame)} and {max(at, frame)} are the same"
                if path != other:
                    pair = f"{path}: frame {frame} is the same as frame {at} of {other}"
                raise BadInput(
                    f"{pair}; remove repeated frames, since they would be in two of training, validation and test"
                )


def check_frames(frames: Frames, path: Path) -> None:
    """Raise BadInput, with file and frame, unless there are two or more atoms and finite, matching arrays."""
    count, atoms = len(frames.energies), len(frames.numbers)
    if count == 0:
        raise BadInput(f"{path}: contains no frames")
    if atoms < 2:
        raise BadInput(f"{path}: one-atom molecules have no forces to learn; at least two atoms are needed")
    if not ((frames.numbers >= 1) & (frames.numbers <= 118)).all():
        raise BadInput(
            f"{path}: atomic numbers from {frames.numbers.min()} to {frames.numbers.max()}, expected 1 to 118"
        )
    for name in ("positions", "forces"):
        if getattr(frames, name).shape != (count, atoms, 3):
            raise BadInput(f"{path}: {name} are {getattr(frames, name).shape}, expected {(count, atoms, 3)}")
    for name in ("positions", "energies", "forces"):
        finite = np.isfinite(getattr(frames, name).reshape(count, -1)).all(1)
        if not finite.all():
            raise BadInput(f"{path}: frame {int(np.argmin(finite))}: {name} are NaN or infinite")
    if not frames.forces.any():
        raise BadInput(f"{path}: all forces are zero, as in a file with energies only")
