"""Optimizers that treat the matrices of a network's hidden layers as matrices: see `trainables.training.matrices`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainables.training.blocks import change_by_shape, orthogonalized, spectral_norms
from trainables.training.matrices import Matrix


class BlockOptimizer(torch.optim.Optimizer):
    """Base: Adam's update with the part of each block replaced, then subtracted from the parameters.

    A subclass replaces the updates of the blocks in `updates`. Entries of a parameter that are in no block
    get Adam's own update.
    """

    decoupled_decay = False

    def __init__(
        self, parameters: Iterable[nn.Parameter], blocks: Sequence[Matrix], lr: float, weight_decay: float
    ) -> None:
        """The optimizer of these parameters.

        Args:
            blocks: Non-overlapping slices of the parameters.
        """
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.blocks_of: dict[nn.Parameter, list[Matrix]] = {}
        for block in blocks:
            self.blocks_of.setdefault(block.parameter, []).append(block)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step with the available gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            if self.decoupled_decay:
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                gradients = [parameter.grad for parameter in parameters]
            else:
                gradients = list(
                    torch._foreach_add(
                        [parameter.grad for parameter in parameters], parameters, alpha=group["weight_decay"]
                    )
                )
            updates = self.updates(parameters, gradients)
            torch._foreach_add_(parameters, updates, alpha=-group["lr"])
        return loss

    def updates(self, parameters: list[nn.Parameter], gradients: list[Tensor]) -> list[Tensor]:
        """The update of each parameter, which is multiplied by the learning rate and subtracted."""
        raise NotImplementedError

    def adam(self, parameters: list[nn.Parameter], gradients: list[Tensor]) -> list[Tensor]:
        """Adam's updates (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) with its usual betas and epsilon."""
        beta1, beta2, epsilon = 0.9, 0.999, 1e-8
        first, second = ([self._state(p, name) for p in parameters] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        denominators, factors = torch._foreach_sqrt(second), []
        for parameter, denominator in zip(parameters, denominators, strict=True):
            step = self.state[parameter]["step"] = self.state[parameter].get("step", 0) + 1
            denominator.div_((1 - beta2**step) ** 0.5).add_(epsilon)
            factors.append(1 / (1 - beta1**step))
        updates = torch._foreach_div(first, denominators)
        torch._foreach_mul_(updates, factors)
        return list(updates)

    def blocks_in(self, parameters: list[nn.Parameter], tensors: list[Tensor]) -> list[Tensor]:
        """The views of all blocks in tensors that are laid out like the parameters."""
        return [
            block.of(tensor)
            for parameter, tensor in zip(parameters, tensors, strict=True)
            for block in self.blocks_of.get(parameter, [])
        ]

    def _state(self, parameter: nn.Parameter, name: str) -> Tensor:
        if name not in self.state[parameter]:
            self.state[parameter][name] = torch.zeros_like(parameter)
        return self.state[parameter][name]


class BlockMuon(BlockOptimizer):
    """Muon on each block: its momentum, made orthogonal (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

    Like torch.optim.Muon with Nesterov momentum and `match_rms_adamw`: updates have a root mean square of
    0.2, as AdamW's usually do, so that a learning rate means the same for both (Liu et al. 2025, arXiv
    2502.16982). It differs by two more iterations, after which updates are orthogonal to within 0.01
    (torch's: 0.3). Weight decay is decoupled. Entries that are in no block get AdamW's update, with learning
    rate `factor` times lr.
    """

    decoupled_decay = True

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        blocks: Sequence[Matrix],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        factor: float = 1.0,
    ) -> None:
        super().__init__(parameters, blocks, lr, weight_decay)
        self.momentum, self.factor = momentum, factor

    def updates(self, parameters: list[nn.Parameter], gradients: list[Tensor]) -> list[Tensor]:
        """Orthogonal updates for the blocks, AdamW's for all other entries."""
        buffers = [self._state(parameter, "momentum_buffer") for parameter in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - self.momentum)
        updates = list(torch._foreach_lerp(gradients, buffers, self.momentum))
        uncovered = [i for i, parameter in enumerate(parameters) if not self._covered(parameter)]
        if uncovered:
            adam = self.adam([parameters[i] for i in uncovered], [gradients[i] for i in uncovered])
            for i, update in zip(uncovered, adam, strict=True):
                update *= self.factor
                views = [block.of(update) for block in self.blocks_of[parameters[i]]]
                for view, source in zip(views, self.blocks_in([parameters[i]], [updates[i]]), strict=True):
                    view.copy_(source)
                updates[i] = update
        change_by_shape(self.blocks_in(parameters, updates), _orthogonal_of_adamw_size)
        return updates

    def _covered(self, parameter: nn.Parameter) -> bool:
        return sum(block.entries for block in self.blocks_of[parameter]) == parameter.numel()


class BlockAdam(BlockOptimizer):
    """Adam whose update of each block is divided by its spectral norm, so that the block moves by lr in that norm.

    Manolache and Niepert 2026, "Equivariance Breaks the Learning Rate": after Adam's step the update dW of each
    irrep block becomes lr dW / ||dW||_2. The moments are untouched, and there is no further hyperparameter.
    Parameters without blocks, such as embeddings and biases, are left to Adam. Weight decay is Adam's.
    """

    def updates(self, parameters: list[nn.Parameter], gradients: list[Tensor]) -> list[Tensor]:
        """Updates of spectral norm 1 for the blocks, Adam's for all other entries."""
        updates = self.adam(parameters, gradients)
        change_by_shape(self.blocks_in(parameters, updates), _of_unit_norm)
        return updates


def _orthogonal_of_adamw_size(matrices: Tensor) -> Tensor:
    return 0.2 * max(matrices.shape[1:]) ** 0.5 * orthogonalized(matrices)


def _of_unit_norm(matrices: Tensor) -> Tensor:
    # A block whose update is 0, such as a companion's at theta = 0, stays unchanged.
    return matrices / spectral_norms(matrices).clamp(min=torch.finfo(matrices.dtype).tiny)
