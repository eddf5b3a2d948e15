"""Data-parallel training: several processes, each with a copy of the model and a part of every batch.

Loss and penalties are means over the samples of a batch. With b_r of the b samples in process r, the gradient
of the whole batch is the sum over r of (b_r / b) times the gradient of that part, whether or not the parts are
equal. After that sum, all processes have the same gradient bit for bit and take the same step: relaxation,
projection, multipliers and the choice of the best epoch need no further communication.

The gradients are summed in one piece after the backward pass, and not by torch's DistributedDataParallel: its
wrapper would have to be rebuilt at the projection, would search the graph in each step for the companions
that theta = 0 leaves without a gradient, and weights parts equally. It would overlap the sum with the
backward pass, which gains little for networks of a few million parameters on one node.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from trainables.distributed.coupling import couple
from trainables.errors import BadInput

T = TypeVar("T")


class Team:
    """The processes that train one trial together. This base class is a team of one: it splits and sends nothing."""

    rank = 0
    count = 1

    def part(self, batch_size: int) -> slice:
        """The samples of a batch that this process takes."""
        return slice(0, batch_size)

    def couple(self, model: nn.Module, batch_size: int) -> nn.Module:
        """The model, with its layers made to account for the whole batch."""
        return model

    def sum(self, values: Tensor) -> Tensor:
        """The sum of the processes' values, of any shape."""
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient with its sum over the processes."""

    def first(self, compute: Callable[[], T]) -> T:
        """What `compute` returns in the first process, the only one that calls it."""
        return compute()


class ProcessGroup(Team):
    """One of `count` processes in torch's default process group."""

    def __init__(self, rank: int, count: int, device: torch.device) -> None:
        self.rank, self.count, self.device = rank, count, device

    def part(self, batch_size: int) -> slice:
        """Consecutive samples; the sizes of the parts differ by at most one.

        Raises:
            BadInput: If there are fewer samples than processes.
        """
        if batch_size < self.count:
            raise BadInput(
                f"resources.processes: {self.count} processes cannot share batches of {batch_size}; "
                "use fewer, or raise training.batch_size"
            )
        return slice(self.rank * batch_size // self.count, (self.rank + 1) * batch_size // self.count)

    def couple(self, model: nn.Module, batch_size: int) -> nn.Module:
        """See trainables.distributed.coupling."""
        return couple(model, self.part(batch_size), batch_size, self.sum)

    def sum(self, values: Tensor) -> Tensor:
        """The sum; differentiable."""
        return _Sum.apply(values)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """One all-reduce for all gradients together."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(together)
        sums = together.split([gradient.numel() for gradient in gradients])
        shaped = [part.view_as(gradient) for part, gradient in zip(sums, gradients, strict=True)]
        torch._foreach_copy_(gradients, shaped)

    def first(self, compute: Callable[[], T]) -> T:
        """The other processes wait for the result and get a copy."""
        box: list[Any] = [compute() if self.rank == 0 else None]
        dist.broadcast_object_list(box, device=self.device)
        return box[0]


class _Sum(torch.autograd.Function):
    """The sum over all processes; in the backward pass every summand gets the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)
