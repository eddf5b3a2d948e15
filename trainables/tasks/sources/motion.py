"""Recorded motion: linked joints, sequences of their positions, and the first frames of samples.

The files of the public benchmark are those of EGNO and ACE: subject 9, "run", of mocap.cs.cmu.edu.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.errors import BadInput
from trainables.tasks.sources.plain_pickle import read_plain_pickle

SPLITS = ("train", "val", "test")
Starts = dict[str, dict[int, np.ndarray]]
"""For each split, the first frames of its samples, by sequence index, in the order of their use."""


@dataclass(frozen=True)
class Motion:
    """Recorded sequences of one skeleton.

    Attributes:
        links: Pairs of joints, (links, 2).
        sequences: Positions in each sequence, (frames, joints, 3).
        files: Source of each sequence, for messages.
    """

    links: np.ndarray
    sequences: Sequence[np.ndarray]
    files: Sequence[str]

    @property
    def joints(self) -> int:
        """Number of joints."""
        return self.sequences[0].shape[1]


def read_public_motion(path: Path) -> Motion:
    """Read the pickle (links, list of sequences); BadInput, with file and frame, if it is anything else."""
    content = read_plain_pickle(path)
    if not (isinstance(content, tuple | list) and len(content) == 2 and isinstance(content[1], list | tuple)):
        raise BadInput(f"{path}: is not a pair of links and sequences")
    links = _numbers(content[0], path, "links")
    sequences = [_numbers(array, path, f"sequence {index}") for index, array in enumerate(content[1])]
    motion = Motion(
        links.astype(np.int64), sequences, [f"{path}: sequence {i}" for i in range(len(sequences))]
    )
    check_motion(motion, str(path))
    return motion


def check_motion(motion: Motion, where: str) -> None:
    """Raise BadInput unless all sequences have the same joints, linked, at finite positions."""
    if not motion.sequences:
        raise BadInput(f"{where}: contains no sequences")
    joints = motion.sequences[0].shape[1] if motion.sequences[0].ndim == 3 else 0
    for sequence, file in zip(motion.sequences, motion.files, strict=True):
        if sequence.ndim != 3 or sequence.shape[1:] != (joints, 3) or joints < 2:
            raise BadInput(
                f"{file}: positions are {sequence.shape}, expected (frames, {joints or 'joints'}, 3)"
            )
        finite = np.isfinite(sequence).all((1, 2))
        if not finite.all():
            raise BadInput(f"{file}: frame {int(np.argmin(finite))}: positions are NaN or infinite")
    links = motion.links
    if links.ndim != 2 or links.shape[1] != 2 or links.min() < 0 or links.max() >= joints:
        raise BadInput(f"{where}: links must be pairs of joints from 0 to {joints - 1}")
    alone = sorted(set(range(joints)) - set(links[links[:, 0] != links[:, 1]].flatten().tolist()))
    if alone:
        raise BadInput(f"{where}: joint {alone[0]} has no link to another")


def read_public_starts(path: Path) -> Starts:
    """Read the pickle (train, val, test) of dictionaries from a sequence's index to its first frames."""
    content = read_plain_pickle(path)
    if not (isinstance(content, tuple | list) and len(content) == 3):
        raise BadInput(f"{path}: does not contain three splits")
    starts: Starts = {}
    for name, part in zip(SPLITS, content, strict=True):
        if (
            not isinstance(part, dict)
            or not part
            or not all(isinstance(key, int | np.integer) for key in part)
        ):
            raise BadInput(f"{path}: {name} is not a dictionary from sequences to frames")
        starts[name] = {}
        for key, value in part.items():
            frames = _numbers(value, path, f"{name}, sequence {key}")
            if frames.ndim != 1 or (frames != frames.astype(np.int64)).any():
                raise BadInput(f"{path}: {name}, sequence {key}: first frames must be whole numbers")
            starts[name][int(key)] = frames.astype(np.int64)
    return starts


def random_starts(motion: Motion, frames_ahead: int, seed: int) -> Starts:
    """A split of a user's own sequences: whole ones go to training, validation or test, about 2 : 1 : 1.

    The first frames of each sequence are in random order. Raises BadInput for fewer than three sequences.
    """
    count = len(motion.sequences)
    if count < 3:
        raise BadInput(
            f"task.subject: {count} sequences cannot be split into three parts; at least 3 are needed"
        )
    random = np.random.default_rng(seed)
    order = random.permutation(count)
    held_out = max(1, count // 4)
    parts = np.split(order, [count - 2 * held_out, count - held_out])
    return {
        name: {
            int(index): random.permutation(max(0, len(motion.sequences[index]) - frames_ahead))
            for index in sorted(part)
        }
        for name, part in zip(SPLITS, parts, strict=True)
    }


def _numbers(value: Any, path: Path, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise BadInput(f"{path}: {name}: contains no numbers")
    return array
