"""How much the poses of a task's data differ from those of randomly turned data.

A relaxed network can use a preferred direction of the data only if there is one. This is the two-sample test
of Lopez-Paz and Oquab 2017 (arXiv 1610.06545): a classifier is trained to tell samples from turned samples,
and its area under the ROC curve on samples it has not seen is 1/2 exactly if turning changes nothing that it
can see.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit, stdtrit
from scipy.stats import rankdata
from torch import Tensor

from trainables.graph import Graph
from trainables.symmetry import random_rotations, rotate_graph
from trainables.tasks.task import Task, select, size

FOLDS = 10
RIDGE = 1e-2


@dataclass(frozen=True)
class Anisotropy:
    """Mean area under the ROC curve over the folds, with its 95% interval for independent samples.

    Samples that resemble each other, such as frames of one recording, make the true interval wider.
    """

    auc: float
    low: float
    high: float


def of_training_data(task: Task) -> dict[str, float]:
    """The test's numbers by name, for a record; empty if there are too few samples or a number is not finite.

    The task caches them, since most trials of a worker share it.
    """
    if task.anisotropy is None:
        enough = size(task.splits["train"]) >= 2 * FOLDS
        found = asdict(anisotropy(task)) if enough else {}
        task.anisotropy = found if np.isfinite(list(found.values())).all() else {}
    return task.anisotropy


def anisotropy(task: Task, *, split: str = "train", samples: int = 2000, seed: int = 0) -> Anisotropy:
    """The test between half of the samples of a split as they are and the other half, each turned at random.

    The classifier is logistic, on the second-order moments of positions and vectors within each graph: it sees
    preferred axes and directions, and nothing of a higher order.

    Args:
        samples: Largest number of samples used; at least 20 must be available.
    """
    count = min(samples, size(task.splits[split])) // 2 * 2
    if count < 2 * FOLDS:
        raise ValueError(f"{count} samples are too few for {FOLDS} folds")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(size(task.splits[split]), generator=generator)[:count]
    turned = torch.arange(count) % 2 == 1
    matrices = torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)
    matrices[turned] = random_rotations(int(turned.sum()), generator)
    parts = []
    for start in range(
        0, count, task.evaluation_batch
    ):  # edges of all samples at once may not fit into memory
        part = slice(start, start + task.evaluation_batch)
        graph = rotate_graph(task.graph(select(task.splits[split], chosen[part])), matrices[part])
        parts.append(moments(graph).double().cpu())
    return mean_with_interval(held_out_areas(torch.cat(parts).numpy(), turned.numpy()))


def moments(graph: Graph) -> Tensor:
    """(graphs, F): means of the vectors, and second moments of centered positions and vectors, of each graph."""
    positions = graph.positions.unflatten(0, (graph.graphs, -1))
    vectors = graph.vectors.unflatten(0, (graph.graphs, -1))
    columns = torch.cat([(positions - positions.mean(1, keepdim=True)).unsqueeze(2), vectors], dim=2)
    seconds = torch.einsum("gnvi,gnwj->gviwj", columns, columns) / columns.shape[1]
    means = vectors.mean(1).flatten(1)
    mean_seconds = torch.einsum("gi,gj->gij", means, means)
    return torch.cat([means, mean_seconds.flatten(1), seconds.flatten(1)], dim=1)


def held_out_areas(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(folds,) the area under the ROC curve of each fold, by the classifier that was trained without it."""
    areas = []
    folds = np.arange(len(labels)) // 2 % FOLDS  # pairs of neighbors have both labels
    for fold in range(FOLDS):
        train = folds != fold
        mean, scale = features[train].mean(0), features[train].std(0) + 1e-12
        standard = np.clip((features - mean) / scale, -5, 5)
        weights = logistic(standard[train], labels[train])
        areas.append(area_under_roc(standard[~train] @ weights[1:], labels[~train]))
    return np.array(areas)


def logistic(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(1 + F,) intercept and weights of logistic regression with a ridge penalty on the weights."""
    design = np.column_stack([np.ones(len(features)), features])
    signs = np.where(labels, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (design @ weights)
        ridge = RIDGE * np.concatenate([[0.0], weights[1:]])
        gradient = -design.T @ (signs * expit(-margins)) / len(design) + ridge
        return float(np.logaddexp(0, -margins).mean() + 0.5 * weights @ ridge), gradient

    return minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x


def area_under_roc(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs of a positive and a negative sample in which the positive one scores higher."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    ranks = rankdata(scores)[labels].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def mean_with_interval(areas: np.ndarray) -> Anisotropy:
    """The mean of the folds' areas with its 95% interval, cut to [0, 1].

    Folds share most of their training samples, so their areas are correlated, and Student's interval of the
    mean contains 1/2 in 83% of isotropic data sets. Nadeau and Bengio 2003 (Machine Learning 52, equation 9)
    correct the variance by the ratio of test to training samples, here 1 to folds - 1.
    """
    folds = len(areas)
    half = stdtrit(folds - 1, 0.975) * areas.std(ddof=1) * (1 / folds + 1 / (folds - 1)) ** 0.5
    mean = areas.mean()
    return Anisotropy(float(mean), float(max(0.0, mean - half)), float(min(1.0, mean + half)))
