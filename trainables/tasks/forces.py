"""Energies and forces of a molecule: learn the potential from its conformations.

Lengths in angstrom, energies in eV, forces in eV/angstrom; metrics in meV and meV/angstrom. The forces are
the exact negative gradient of the predicted energy, as in Schütt et al. 2017 (arXiv 1706.08566, equation 6).
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.errors import BadInput
from trainables.graph import Graph, Signature, complete_topology
from trainables.spec import later
from trainables.symmetry import Symmetry, rotate_nodes
from trainables.tasks.sources.frames import Frames, Keys, check_disjoint
from trainables.tasks.sources.molecules import molecule_files, read_frames, reference_energy
from trainables.tasks.task import Split, Task, samples_at_once

SMOOTHING = 1e-5  # below any force error of interest, and keeps the gradient of a norm finite at zero


def forces(
    folder: Path,
    *,
    molecule: str = "ethanol",
    train: Annotated[int, Field(ge=1)] = 950,
    val: Annotated[int, Field(ge=1)] = 50,
    test: Annotated[int, Field(ge=1)] = 1000,
    energy_weight: Annotated[float, Field(ge=0)] = 1.0,
    force_weight: Annotated[float, Field(ge=0)] = 80.0,
    seed: Annotated[int, Field(ge=0)] = 43,
    energy_key: Annotated[str | None, later()] = None,
    forces_key: Annotated[str | None, later()] = None,
) -> Task:
    """The task with its data from `folder`; the default weights are those of Liao and Smidt 2023 for MD17.

    A smaller training split is a prefix of a larger one with the same seed and `val`.

    Args:
        molecule: A name in trainables.tasks.sources.molecules.MOLECULES, or a file in `folder`.
        test: Largest number of frames in each test set; taken from the remaining frames if the molecule has
            no separate test file.
        energy_key, forces_key: Names of energies and forces in the files, such as REF_energy and REF_forces;
            None for the usual names of the format.

    Raises:
        BadInput: If files are missing, damaged or too short, or both weights are 0.
    """
    folder, files = Path(folder), molecule_files(molecule)
    if energy_weight == force_weight == 0:
        raise BadInput("task.force_weight: 0, like task.energy_weight, leaves nothing to learn; raise one")
    if "grad" in (forces_key or "").lower():
        raise BadInput(f"task.forces_key: '{forces_key}' looks like a gradient, the negative of the forces")
    keys = Keys(energy_key, forces_key)
    pool = read_frames(folder, files.pool, keys)
    held_out = 0 if files.tests else 1
    if train + val + held_out > len(pool):
        raise BadInput(
            f"task.train: {train} training and {val} validation frames, but {folder / files.pool} has "
            f"{len(pool)} in all; ask for fewer"
        )
    order = np.random.default_rng(seed).permutation(len(pool))
    parts = {"train": (pool, order[val : val + train]), "val": (pool, order[:val])}
    if not files.tests:
        parts["test"] = (pool, order[val + train :][-test:])
    for name, path in files.tests.items():
        frames = read_frames(folder, path, keys)
        if not np.array_equal(frames.numbers, pool.numbers):
            raise BadInput(f"{folder / path}: contains different atoms from {folder / files.pool}")
        parts[name] = (frames, np.random.default_rng(seed).permutation(len(frames))[:test])
    check_disjoint(
        [
            (frames, folder / files.tests.get(name, files.pool), index)
            for name, (frames, index) in parts.items()
        ]
    )

    reference = float(pool.reference)
    if files.atoms is not None:
        reference = reference_energy(folder, files.atoms, pool.numbers)
    splits = {name: _split(frames, index, reference) for name, (frames, index) in parts.items()}
    return Forces(splits, pool.numbers, energy_weight, force_weight)


# A function has no attributes that a type checker knows of.
forces.revision = 2  # type: ignore[attr-defined]  # energies minus their mean in float64; units, cells and isolated atoms of files


def _split(frames: Frames, index: np.ndarray, reference: float) -> Split:
    """The frames at `index`; energies stay in float64, since totals have too many digits for float32."""
    dtype = torch.get_default_dtype()
    return {
        "positions": torch.from_numpy(frames.positions[index]).to(dtype),
        "energies": torch.from_numpy(frames.energies[index] - reference),
        "forces": torch.from_numpy(frames.forces[index]).to(dtype),
    }


class Forces(Task):
    """Splits contain positions and forces (samples, atoms, 3), and energies (samples,) minus `mean`.

    `mean` is that of the training energies. The model's scalar e (graphs, 1) stands for the energy
    `mean + scale * e`, with the root mean square of the training forces (times 1 angstrom) as scale. The
    metric is the mean absolute error of the force components. The trivial predictor gives no force and the
    mean energy.
    """

    symmetry = Symmetry(inversion=True, translations=True)
    metric = "force_mae"
    metric_goal = "min"
    metric_ideal, loss_ideal = 0.0, 0.0
    differentiates_model = True

    def __init__(
        self,
        splits: dict[str, Split],
        numbers: np.ndarray,
        energy_weight: float = 1.0,
        force_weight: float = 80.0,
    ) -> None:
        """The task on these splits; the weights multiply the two parts of the loss.

        Args:
            splits: Energies still include their mean; in float64 if they are totals.
            numbers: Atomic numbers, (atoms,).
        """
        self.mean = float(splits["train"]["energies"].double().mean())
        self.splits = {name: self._centered(split) for name, split in splits.items()}
        self.energy_weight, self.force_weight = energy_weight, force_weight
        self.evaluation_batch = samples_at_once(50, len(numbers) * (len(numbers) - 1))
        elements, kinds = np.unique(numbers, return_inverse=True)
        self.kinds = F.one_hot(torch.from_numpy(kinds)).to(torch.get_default_dtype())
        self.signature = Signature(
            scalars=len(elements), vectors=0, edge_scalars=0, output="scalars", own_edges=True
        )
        self.scale = float(splits["train"]["forces"].square().mean().sqrt())
        self.trivial = 1000 * float(splits["val"]["forces"].abs().mean())

    def _centered(self, split: Split) -> Split:
        energies = split["energies"].double() - self.mean
        return {**split, "energies": energies.to(split["positions"].dtype)}

    def to(self, device: torch.device) -> None:
        super().to(device)
        self.kinds = self.kinds.to(device)

    def graph(self, split: Split) -> Graph:
        positions = split["positions"]
        graphs, atoms, _ = positions.shape
        topology = complete_topology(graphs, atoms, positions.device)
        return Graph(
            positions=positions.flatten(0, 1),
            scalars=self.kinds.to(positions.dtype).repeat(graphs, 1),
            vectors=positions.new_empty(graphs * atoms, 0, 3),
            edge_scalars=positions.new_empty(len(topology.senders), 0),
            topology=topology,
            graphs=graphs,
        )

    def predict(self, model: nn.Module, graph: Graph) -> dict[str, Tensor]:
        """Energies (graphs,) in eV minus the mean, forces (graphs, atoms, 3); works under no_grad too."""
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            positions = graph.positions.detach().requires_grad_()
            output = model(replace(graph, positions=positions)).squeeze(-1)
            (gradient,) = torch.autograd.grad(output.sum(), positions, create_graph=training)
        energies = self.scale * output
        forces = -self.scale * gradient.unflatten(0, (graph.graphs, -1))
        return {"energies": energies, "forces": forces}

    def loss(self, prediction: dict[str, Tensor], split: Split) -> Tensor:
        """Weighted sum of mean absolute energy error and mean norm of force error, in units of `scale`."""
        energy = (prediction["energies"] - split["energies"]).abs().mean() / self.scale
        error = (prediction["forces"] - split["forces"]) / self.scale
        force = (error.square().sum(-1) + SMOOTHING**2).sqrt().mean()
        return self.energy_weight * energy + self.force_weight * force

    def errors(self, prediction: dict[str, Tensor], split: Split) -> dict[str, Tensor]:
        """force_mae in meV/angstrom and energy_mae in meV, (samples,) each."""
        return {
            "force_mae": 1000 * (prediction["forces"] - split["forces"]).abs().mean((1, 2)),
            "energy_mae": 1000 * (prediction["energies"] - split["energies"]).abs(),
        }

    def rotate_targets(self, split: Split, matrices: Tensor) -> Split:
        return {**split, "forces": rotate_nodes(split["forces"], matrices)}
