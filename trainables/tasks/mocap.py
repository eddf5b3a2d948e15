"""Recorded human motion: predict the pose some frames later from a pose and its velocity.

The benchmark is "run" of subject 9 of mocap.cs.cmu.edu with the split of Huang et al. 2022 (arXiv 2203.06442), as
Xu et al. 2024 (EGNO, arXiv 2401.11037) and Manolache et al. 2025 (ACE, arXiv 2505.13631) use it. Lengths are in the
unit of the recordings; a velocity is the displacement from one frame to the next.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from trainables.errors import BadInput
from trainables.graph import Graph, Signature, Topology, topology_of
from trainables.symmetry import Symmetry
from trainables.tasks.datasets import checked_sha256
from trainables.tasks.displacements import Displacements
from trainables.tasks.sources.acclaim import read_subject
from trainables.tasks.sources.motion import (
    Motion,
    Starts,
    random_starts,
    read_public_motion,
    read_public_starts,
)
from trainables.tasks.task import Split, Task

PUBLIC = MOTION, STARTS = "mocap/motion_run.pkl", "mocap/split_run.pkl"
HEIGHT_UNIT = 10.0
"""The network receives heights in this unit, the same for every batch: joints are up to three units high."""
UP = 1
SEED = 43


def mocap(
    folder: Path,
    *,
    subject: str | None = None,
    frames_ahead: Annotated[int, Field(ge=2)] = 30,
    height: bool = True,
    train: Annotated[int, Field(ge=1)] = 200,
    val: Annotated[int, Field(ge=1)] = 240,
    test: Annotated[int, Field(ge=1)] = 240,
    seed: Annotated[int, Field(ge=0)] = SEED,
) -> Task:
    """The task with its data from `folder`.

    Args:
        subject: A folder within `folder` with one .asf and three or more .amc files; None for the public benchmark.
        frames_ahead: Number of frames from the given pose to the one to predict; at least 2, since the velocity
            already leads to the next frame.
        height: Give the network each joint's height, which reduces the task's group to rotations about the
            vertical y axis and horizontal translations; without it the group has all rotations and
            translations, though gravity acts either way.
        train, val, test: Numbers of samples, taken equally from a split's sequences (the rest is dropped).
        seed: Seed of the split of a subject's own sequences; the public split is fixed.

    Raises:
        BadInput: If files are missing, damaged or too short, or a seed is set for the public split.
    """
    folder = Path(folder)
    if subject is None:
        if seed != SEED:
            raise BadInput(
                "task.seed: the public split is fixed; remove it, or set task.subject to a folder of your own"
            )
        for path in PUBLIC:
            checked_sha256(folder, path, "task")
        motion, starts = read_public_motion(folder / MOTION), read_public_starts(folder / STARTS)
        where = str(folder / STARTS)
    else:
        motion = read_subject(folder / subject)
        starts, where = random_starts(motion, frames_ahead, seed), f"task.subject: {folder / subject}"
    splits = {
        name: samples(motion, starts, name, count, frames_ahead, where)
        for name, count in {"train": train, "val": val, "test": test}.items()
    }
    return Mocap(splits, motion.links, frames_ahead, height=height)


def samples(motion: Motion, starts: Starts, name: str, count: int, frames_ahead: int, where: str) -> Split:
    """The first samples of each sequence of a split: positions, velocities and targets (samples, joints, 3).

    Args:
        where: Source of the starts, for messages.
    """
    parts: dict[str, list[np.ndarray]] = {"positions": [], "velocities": [], "targets": []}
    each = count // len(starts[name])
    if each == 0:
        raise BadInput(
            f"task.{name}: {count} samples are fewer than the {len(starts[name])} sequences of the split"
        )
    for index in starts[name]:
        if not 0 <= index < len(motion.sequences):
            raise BadInput(
                f"{where}: {name} requests sequence {index}; there are only {len(motion.sequences)}"
            )
    shortest = min(starts[name], key=lambda index: len(starts[name][index]))
    fewest = len(starts[name][shortest])
    if fewest == 0:
        raise BadInput(
            f"{motion.files[shortest]}: has {len(motion.sequences[shortest])} frames, fewer than "
            "task.frames_ahead + 1; remove it or lower task.frames_ahead"
        )
    if each > fewest:
        raise BadInput(
            f"task.{name}: {each} samples of each sequence, but {where} has {fewest} for "
            f"{motion.files[shortest]}; ask for {fewest * len(starts[name])} or fewer"
        )
    for index, frames in starts[name].items():
        sequence, file = motion.sequences[index], motion.files[index]
        first = frames[:each]
        outside = first[(first < 0) | (first + frames_ahead >= len(sequence))]
        if len(outside):
            raise BadInput(
                f"{file}: frame {outside[0]}: {frames_ahead} frames later is beyond the last frame, "
                f"{len(sequence) - 1}; lower task.frames_ahead or choose another split"
            )
        parts["positions"].append(sequence[first])
        parts["velocities"].append(sequence[first + 1] - sequence[first])
        parts["targets"].append(sequence[first + frames_ahead])
    dtype = torch.get_default_dtype()
    return {key: torch.from_numpy(np.concatenate(arrays)).to(dtype) for key, arrays in parts.items()}


def trivial_errors(split: Split, frames_ahead: int) -> dict[str, float]:
    """The mean squared errors of predictors that need no training.

    They stand still, continue at constant velocity, or move all joints with the mean velocity of their body.
    """
    now, way = split["positions"], frames_ahead * split["velocities"]
    guesses = {
        "static": now,
        "constant velocity": now + way,
        "centroid shift": now + way.mean(1, keepdim=True),
    }
    return {name: float((guess - split["targets"]).square().mean()) for name, guess in guesses.items()}


def hops(links: np.ndarray, joints: int) -> np.ndarray:
    """(joints, joints) 1 between linked joints, 2 between those with a common neighbor, 0 otherwise."""
    linked = np.zeros((joints, joints), dtype=np.int64)
    linked[links[:, 0], links[:, 1]] = linked[links[:, 1], links[:, 0]] = 1
    np.fill_diagonal(linked, 0)
    found = np.where(linked > 0, 1, np.where(linked @ linked > 0, 2, 0))
    np.fill_diagonal(found, 0)
    return found


class Mocap(Displacements):
    """Splits contain positions, velocities and targets (samples, joints, 3).

    The model sees joints with edges to those one and two links away, the number of links on each edge, and returns
    the displacement of each joint; the metric is the mean squared error of the coordinates. The best of the trivial
    predictors sets the bar.
    """

    def __init__(
        self, splits: dict[str, Split], links: np.ndarray, frames_ahead: int, *, height: bool
    ) -> None:
        """The task on these splits.

        Args:
            links: (links, 2) pairs of joints.
        """
        self.splits = splits
        self.height = height
        self.signature = Signature(
            scalars=int(height), vectors=1, edge_scalars=1, output="vectors", own_edges=True
        )
        # No mirror images: joints are distinguished by their links alone, and left and right are different limbs.
        if height:
            self.symmetry = Symmetry(inversion=False, translations="xz", axis="y")
        else:
            self.symmetry = Symmetry(inversion=False, translations=True)
        self.hops = torch.from_numpy(hops(links, splits["train"]["positions"].shape[1]))
        self.edges: dict[tuple[int, torch.device], tuple[Topology, Tensor]] = {}
        self.trivials = trivial_errors(splits["val"], frames_ahead)
        self.trivial = min(self.trivials.values())

    def graph(self, split: Split) -> Graph:
        graphs = len(split["positions"])
        positions = split["positions"].flatten(0, 1)
        topology, links_between = self._edges(graphs, positions.device)
        heights = positions[:, UP : UP + 1] / HEIGHT_UNIT
        return Graph(
            positions=positions,
            scalars=heights if self.height else heights[:, :0],
            vectors=split["velocities"].flatten(0, 1).unsqueeze(1),
            edge_scalars=links_between.to(positions.dtype),
            topology=topology,
            graphs=graphs,
        )

    def _edges(self, graphs: int, device: torch.device) -> tuple[Topology, Tensor]:
        """The edges of a batch and the number of links of each, (edges, 1); copied to the device once."""
        if (graphs, device) not in self.edges:
            topology = topology_of(self.hops > 0, graphs, torch.device("cpu"))
            within = topology.senders.view(graphs, len(self.hops), -1)[0]
            links_between = self.hops.gather(1, within).repeat(graphs, 1).view(-1, 1)
            self.edges[graphs, device] = topology_of(self.hops > 0, graphs, device), links_between.to(device)
        return self.edges[graphs, device]
