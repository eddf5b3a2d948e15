"""Prediction tasks: where each node of a graph will be some time later."""

from torch import Tensor, nn

from trainables.graph import Graph
from trainables.symmetry import rotate_nodes
from trainables.tasks.task import Split, Task


class Displacements(Task):
    """Splits contain positions and targets (samples, nodes, 3), and anything else a subclass reads.

    The model returns the displacement of each node; the loss and the metric are the mean squared error of the
    coordinates of the target positions. Subclasses define what the model sees, and the trivial predictor.
    """

    metric = "mse"
    metric_goal = "min"
    metric_ideal, loss_ideal = 0.0, 0.0

    def predict(self, model: nn.Module, graph: Graph) -> dict[str, Tensor]:
        return {"positions": (graph.positions + model(graph)).unflatten(0, (graph.graphs, -1))}

    def loss(self, prediction: dict[str, Tensor], split: Split) -> Tensor:
        return (prediction["positions"] - split["targets"]).square().mean()

    def errors(self, prediction: dict[str, Tensor], split: Split) -> dict[str, Tensor]:
        return {"mse": (prediction["positions"] - split["targets"]).square().mean((1, 2))}

    def rotate_targets(self, split: Split, matrices: Tensor) -> Split:
        return {**split, "targets": rotate_nodes(split["targets"], matrices)}
