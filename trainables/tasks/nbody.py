"""Charged or gravitating particles in free space: predict later positions from positions and velocities.

The system is that of Kipf et al. 2018 (arXiv 1802.04687) in three dimensions with the settings of Fuchs et
al. 2020 (arXiv 2006.10503) and Satorras et al. 2021 (arXiv 2102.09844). All units are simulation units: unit
masses, unit coupling, time step 0.001.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from trainables.errors import BadInput
from trainables.graph import Graph, Signature, Topology, complete_topology, cutoff_topology, nearest_topology
from trainables.spec import later
from trainables.symmetry import Symmetry
from trainables.tasks.cache import Arrays, cached_arrays
from trainables.tasks.displacements import Displacements
from trainables.tasks.task import Split, Task, samples_at_once

Law = Literal["charges", "gravity"]
SPLITS = ("train", "val", "test")
TIME_STEP = 1e-3
LARGEST_FORCE = 0.1 / TIME_STEP
BOX = 5.0
STEPS_PER_FRAME = 100
INPUT_FRAME, TARGET_FRAME = 30, 40
DURATION = (TARGET_FRAME - INPUT_FRAME) * STEPS_PER_FRAME * TIME_STEP
PAIRS_AT_ONCE = 20_000  # few calls, and the arrays of a step still fit in the processor's cache


def nbody(
    folder: Path,
    *,
    bodies: Annotated[int, Field(ge=2)] = 5,
    law: Law = "charges",
    train: Annotated[int, Field(ge=1)] = 3000,
    val: Annotated[int, Field(ge=1)] = 2000,
    test: Annotated[int, Field(ge=1)] = 2000,
    seed: Annotated[int, Field(ge=0)] = 43,
    num_neighbors: Annotated[int | None, later(ge=1)] = None,
    cutoff: Annotated[float | None, later(gt=0)] = None,
) -> Task:
    """The task with its data from the cache in `folder`, simulated first if absent.

    A smaller split is a prefix of a larger one with the same seed.

    Args:
        num_neighbors, cutoff: The network's edges come from that many nearest bodies, or from those within that
            distance; from all others if both are None. The simulation always includes the forces of all pairs.
    """
    if num_neighbors is not None and cutoff is not None:
        raise BadInput("task.cutoff: set either this or task.num_neighbors, not both")
    if num_neighbors is not None and num_neighbors >= bodies:
        raise BadInput(
            f"task.num_neighbors: {num_neighbors} of {bodies} bodies; each has {bodies - 1} others"
        )
    splits = {}
    for stream, (name, count) in enumerate(zip(SPLITS, (train, val, test), strict=True)):
        content = {"bodies": bodies, "law": law, "count": count, "seed": seed, "stream": stream, "version": 1}
        splits[name] = cached_arrays(
            folder,
            "nbody",
            content,
            partial(_simulate, bodies, law, count, seed, stream),
        )
    return NBody(
        {
            name: {key: torch.tensor(array) for key, array in arrays.items()}
            for name, arrays in splits.items()
        },
        num_neighbors,
        cutoff,
    )


class NBody(Displacements):
    """Splits contain positions, velocities, targets (samples, bodies, 3) and charges (samples, bodies).

    The model returns the displacement of each particle; the metric is the mean squared error of the
    coordinates of the target positions. The trivial predictor assumes constant velocity.
    """

    signature = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors", own_edges=True)
    symmetry = Symmetry(inversion=True, translations=True)

    def __init__(
        self, splits: dict[str, Split], num_neighbors: int | None = None, cutoff: float | None = None
    ) -> None:
        self.splits = splits
        self.num_neighbors, self.cutoff = num_neighbors, cutoff
        val = splits["val"]
        bodies = val["positions"].shape[1]
        self.evaluation_batch = samples_at_once(500, bodies * (num_neighbors or bodies - 1))
        constant_velocity = val["positions"] + DURATION * val["velocities"]
        self.trivial = float((constant_velocity - val["targets"]).square().mean())

    def graph(self, split: Split) -> Graph:
        graphs, bodies, _ = split["positions"].shape
        topology = self._topology(split["positions"])
        charges = split["charges"].flatten()
        return Graph(
            positions=split["positions"].flatten(0, 1),
            scalars=charges.new_empty(graphs * bodies, 0),
            vectors=split["velocities"].flatten(0, 1).unsqueeze(1),
            edge_scalars=(topology.to_edges(charges) * charges[topology.senders]).unsqueeze(1),
            topology=topology,
            graphs=graphs,
        )

    def _topology(self, positions: Tensor) -> Topology:
        graphs, bodies, _ = positions.shape
        if self.num_neighbors is not None:
            return nearest_topology(positions.flatten(0, 1), graphs, self.num_neighbors)
        if self.cutoff is not None:
            return cutoff_topology(positions.flatten(0, 1), graphs, self.cutoff)
        return complete_topology(graphs, bodies, positions.device)


def _simulate(bodies: int, law: Law, count: int, seed: int, stream: int) -> Arrays:
    positions, velocities, charges = initial_conditions(bodies, law, count, seed, stream)
    frames = []
    at_once = max(1, 2 * PAIRS_AT_ONCE // (bodies * (bodies - 1)))
    for start in range(0, count, at_once):
        chunk = slice(start, start + at_once)
        state = (positions[chunk], velocities[chunk])
        now = integrate(*state, charges[chunk], law, INPUT_FRAME * STEPS_PER_FRAME)
        later = integrate(*now, charges[chunk], law, (TARGET_FRAME - INPUT_FRAME) * STEPS_PER_FRAME)
        frames.append((*now, later[0]))
    parts = zip(("positions", "velocities", "targets"), zip(*frames, strict=True), strict=True)
    return {
        **{name: np.concatenate(chunks).astype(np.float32) for name, chunks in parts},
        "charges": charges.astype(np.float32),
    }


def initial_conditions(
    bodies: int, law: Law, count: int, seed: int, stream: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions and velocities (count, bodies, 3) and charges (count, bodies) at time 0, in float64.

    Positions are normally distributed, reflected once into the box; velocities have norm 0.5 and a random
    direction; charges are +-1 with equal probability (all 1, as masses, under gravity).
    """
    draws = np.random.default_rng([seed, stream]).standard_normal((count, bodies, 7))
    positions, velocities, signs = draws[..., :3], draws[..., 3:6], draws[..., 6]
    velocities = 0.5 * velocities / np.linalg.norm(velocities, axis=-1, keepdims=True)
    outside = np.abs(positions) > BOX
    velocities = np.where(outside, -np.sign(positions) * np.abs(velocities), velocities)
    positions = np.where(outside, np.sign(positions) * 2 * BOX - positions, positions)
    charges = np.where(signs < 0, -1.0, 1.0) if law == "charges" else np.ones((count, bodies))
    return positions, velocities, charges


def integrate(
    positions: np.ndarray, velocities: np.ndarray, charges: np.ndarray, law: Law, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities (count, bodies, 3) after `steps` of symplectic Euler (kick, drift), in float64.

    Trajectories are along the last axis, so each operation runs over contiguous memory for all of them; sums
    run in a fixed order, so the result does not depend on how many are integrated together.
    """
    x = np.array(positions.transpose(2, 1, 0), dtype=np.float64, order="C")
    v = np.array(velocities.transpose(2, 1, 0), dtype=np.float64, order="C")
    bodies, count = x.shape[1:]
    firsts, seconds = np.triu_indices(bodies, 1)
    starts = [0, *np.cumsum(range(bodies - 1, 0, -1))]
    coupling = (charges[:, firsts] * charges[:, seconds]).T * (1.0 if law == "charges" else -1.0)
    coupling = np.ascontiguousarray(coupling)
    difference = np.empty((3, len(firsts), count))
    squares = np.empty_like(difference)
    distance_squared, cubes = np.empty((2, len(firsts), count))
    force = np.empty_like(x)
    for _ in range(steps):
        for body in range(bodies - 1):
            pairs = slice(starts[body], starts[body + 1])
            np.subtract(x[:, body : body + 1], x[:, body + 1 :], out=difference[:, pairs])
        np.multiply(difference, difference, out=squares)
        np.sum(squares, axis=0, out=distance_squared)
        np.sqrt(distance_squared, out=cubes)
        np.multiply(cubes, distance_squared, out=cubes)
        np.divide(coupling, cubes, out=cubes)
        np.multiply(difference, cubes, out=difference)
        force[:] = 0.0
        for body in range(bodies - 1):
            forces = difference[:, starts[body] : starts[body + 1]]
            force[:, body] += forces.sum(1)
            force[:, body + 1 :] -= forces
        np.clip(force, -LARGEST_FORCE, LARGEST_FORCE, out=force)
        force *= TIME_STEP
        v += force
        np.multiply(v, TIME_STEP, out=force)
        x += force
    return x.transpose(2, 1, 0), v.transpose(2, 1, 0)


def energy(positions: np.ndarray, velocities: np.ndarray, charges: np.ndarray, law: Law) -> np.ndarray:
    """(count,) kinetic plus potential energy of states (count, bodies, 3), unit masses."""
    firsts, seconds = np.triu_indices(positions.shape[1], 1)
    distances = np.linalg.norm(positions[:, firsts] - positions[:, seconds], axis=-1)
    sign = 1.0 if law == "charges" else -1.0
    potential = sign * (charges[:, firsts] * charges[:, seconds] / distances).sum(1)
    return 0.5 * (velocities**2).sum((1, 2)) + potential
