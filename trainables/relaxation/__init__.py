"""Constraint relaxation of equivariant models: relax, train, project.

The method is that of Pertigkiozoglou et al., NeurIPS 2024 (arXiv 2408.13242). A strict layer f is equivariant: with
rho_in and rho_out the actions of a group on its inputs and outputs, f(rho_in(g) x) = rho_out(g) f(x) for all g.
That constraint may be an obstacle on the way to a good f. So during training each chosen layer gets an unconstrained
companion W, a dense matrix on the flattened features,

    y = f(x) + theta W x,

where theta follows a schedule that ends at exactly 0 (`schedules`). A strict phase follows, with f alone. The
delivered model is f: the strict class, parameters and state_dict keys, exactly equivariant.

To keep the way back short, W is held near zero and near equivariance by penalties (`penalties`), whose gradients
reach W but not f or anything before it. With A_a the three generators of rotations, P the inversion, and
means over the samples x and the entries of the outputs,

    norm    mean |W x|^2
    Lie     sum_a mean |W rho_in(A_a) x - rho_out(A_a) W x|^2
    parity  mean |W rho_in(P) x - rho_out(P) W x|^2.

The Lie term is the squared derivative at t = 0 of rho_out(exp(-t A_a)) W rho_in(exp(t A_a)) x: it vanishes if
and only if W is equivariant under rotations on these samples. It is blind to inversion, hence the parity term.
Each A_a is block-diagonal, with one small antisymmetric block for each irrep (for vectors a cross product),
and is never built as a matrix of all features (`action`). The mean of all terms over every rotated copy of a
batch has a closed form that is cheaper than the terms themselves (`averaged`); the study uses that by default.

`project` drops W, or first folds in its equivariant part, which is the orthogonal projection on the maps that
commute with the group: by Schur's lemma, for each pair of equal irreps, the trace over their components divided
by 2l+1. Folding has weight theta, so it differs from dropping only if theta is cut to 0 rather than lowered
gradually.

A layer declares how it transforms by two attributes, `representation_in` and `representation_out`
(`representation`), for its leading positional inputs and its outputs; further inputs condition it. e3nn's
`o3.Linear` and tensor products need no such declaration. A model may name the layers to relax by default with
`relax_default`, patterns of names, and the kind of companion with `relax_companion`.

To train your own model in your own loop, use `Relaxation`, which combines `relax`, `theta`, `penalties` and
`project`:

    import torch
    from e3nn import o3
    from trainables.relaxation import Relaxation

    class Potential(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = o3.FullyConnectedTensorProduct("2x1o", "2x1o", "16x0e + 16x1e + 16x2e")
            self.last = o3.FullyConnectedTensorProduct("16x0e + 16x1e + 16x2e", "2x1o", "1x1o")

        def forward(self, x):
            return self.last(self.first(x, x), x)

    torch.manual_seed(0)
    x = torch.randn(256, 6)
    target = x[:, :3] * (x[:, :3] * x[:, 3:]).sum(1, keepdim=True)
    relaxation = Relaxation(Potential(), schedule="triangle", steps=200)
    optimizer = torch.optim.Adam(relaxation.model.parameters(), 1e-2)
    for _ in range(200):
        relaxation.step()
        loss = (relaxation.model(x) - target).square().mean()
        optimizer.zero_grad()
        (loss + relaxation.penalty()).backward()
        optimizer.step()
    model = relaxation.finish()

    rotation = o3.rand_matrix()
    both = o3.Irreps("2x1o").D_from_matrix(rotation)
    error = (model(x @ both.T) - model(x) @ rotation.T).norm() / model(x).norm()
    print(f"loss {loss.item():.1e}, equivariance error {error.item():.1e}")
"""

from trainables.relaxation import penalties
from trainables.relaxation.project import project
from trainables.relaxation.relax import relax
from trainables.relaxation.relaxation import Relaxation
from trainables.relaxation.relaxed_layer import RelaxedLayer, relaxed_layers
from trainables.relaxation.schedules import theta
from trainables.relaxation.summary import summary, uncalled_layers

__all__ = [
    "Relaxation",
    "RelaxedLayer",
    "penalties",
    "project",
    "relax",
    "relaxed_layers",
    "summary",
    "theta",
    "uncalled_layers",
]
