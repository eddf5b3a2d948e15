"""A small version of every network, with a batch to train it on and any method to train it with."""

import torch

from trainables import registry
from trainables.graph import Graph, Signature, complete_topology
from trainables.registry import resolve
from trainables.spec import Training
from trainables.training import optimizers

PARTICLES = Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors")


CLOUDS = Signature(scalars=0, vectors=0, edge_scalars=0, output="scalars", outputs=3)


MODELS = {
    "egnn": (PARTICLES, {"hidden": 8, "layers": 2}),
    "segnn": (PARTICLES, {"hidden": 4, "layers": 2}),
    "equiformer": (
        PARTICLES,
        {"channels": 8, "layers": 1, "heads": 2, "radial": 8, "radial_hidden": 8, "logits": 4},
    ),
    "se3_transformer": (PARTICLES, {"channels": 4, "layers": 1, "heads": 2, "radial": 4}),
    "vn_pointnet": (CLOUDS, {"width": 0.15, "num_neighbors": 5, "dropout": 0.0}),
    "vn_dgcnn": (CLOUDS, {"width": 0.15, "num_neighbors": 5, "dropout": 0.0}),
}


def build(name):
    signature, options = MODELS[name]
    torch.manual_seed(0)
    return registry.build("model", {"name": name, **options}, signature)


def batch(name):
    """Four graphs of seven nodes, or two clouds of twenty points, and a target for each output."""
    signature, _ = MODELS[name]
    generator = torch.Generator().manual_seed(1)
    graphs, nodes = (2, 20) if signature is CLOUDS else (4, 7)
    count, edges = graphs * nodes, 0 if signature is CLOUDS else graphs * nodes * (nodes - 1)
    graph = Graph(
        positions=torch.randn(count, 3, generator=generator),
        scalars=torch.zeros(count, 0),
        vectors=torch.randn(count, signature.vectors, 3, generator=generator),
        edge_scalars=torch.randn(edges, signature.edge_scalars, generator=generator),
        topology=None if signature is CLOUDS else complete_topology(graphs, nodes, torch.device("cpu")),
        graphs=graphs,
    )
    shape = (graphs, 3) if signature is CLOUDS else (count, 3)
    return graph, torch.randn(shape, generator=generator)


def method(name="relaxed", **options):
    return registry.build("method", resolve("method", {"name": name, **options}))


def train(name, treatment, steps, lr=1e-3):
    """Train for `steps` steps as a trial would; returns the model and the losses."""
    torch.manual_seed(2)  # for dropout
    graph, target = batch(name)
    model = treatment.relax(build(name), torch.Generator().manual_seed(3)).train()
    added = {id(parameter) for parameter in treatment.companion_parameters(model)}
    groups = [[], []]
    for parameter in model.parameters():
        groups[id(parameter) in added].append(parameter)
    trunk, companions = (optimizers.build(Training(lr=lr), group) for group in groups)
    losses, relaxed = [], True
    for step in range(steps + 1):
        if step == treatment.projection_step(steps):
            model, companions, relaxed = treatment.project(model), [], False
        if step == steps:
            return model, losses
        if relaxed:
            treatment.begin_step(model, step, steps)
        loss = (model(graph) - target).square().mean()
        penalty = treatment.penalty(model) if relaxed else None
        for optimizer in trunk + companions:
            optimizer.zero_grad()
        (loss if penalty is None else loss + penalty).backward()
        for optimizer in trunk + companions:
            optimizer.step()
        if relaxed:
            treatment.end_step(model)
        losses.append(loss.item())
