"""CPU time of two ways to do the same work, measured in turn, and where the time of one of them goes.

Wall time on a busy machine says little, and so does CPU time if one is measured later than the other: caches, clock
rate and other processes change. Each round runs the reference and then ours, and the ratio is taken within the round.
"""

import resource
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from trainables.methods.relaxed import Relaxed

Step = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """CPU seconds that a unit of work took in each round of the reference and of ours."""

    name: str
    reference: list[float]
    ours: list[float]

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours was, round by round."""
        return [slow / fast for slow, fast in zip(self.reference, self.ours, strict=True)]


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(
    benchmark: BenchmarkFixture,
    name: str,
    reference: Step,
    ours: Step,
    rounds: int = 15,
    units: tuple[int, int] = (1, 1),
) -> Comparison:
    """Time `ours` with pytest-benchmark and, before each of its rounds, `reference`; both are warmed up first.

    units: how many units of work a call of the reference and one of ours do
    """
    seconds: list[float] = []

    def run_reference() -> None:
        start = cpu_seconds()
        reference()
        seconds.append(cpu_seconds() - start)

    for _ in range(3 if rounds > 3 else 1):
        reference()
        ours()
    benchmark.pedantic(ours, setup=run_reference, rounds=rounds)
    times = (seconds[-rounds:], benchmark.stats.stats.data)
    comparison = Comparison(
        name, *([time / count for time in part] for part, count in zip(times, units, strict=True))
    )
    benchmark.extra_info["comparison"] = comparison.name
    benchmark.extra_info["reference_median"] = statistics.median(comparison.reference)
    benchmark.extra_info["ratio_quartiles"] = statistics.quantiles(comparison.ratios, n=4)
    return comparison


def training_step(model: nn.Module, loss: Callable[[nn.Module], Tensor], fused: bool = True) -> Step:
    """Forward, backward and Adam on one batch; `loss` runs the model and returns a scalar."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()

    return step


def relaxed_step(
    model: nn.Module,
    loss: Callable[[nn.Module], Tensor],
    prepare: Callable[[nn.Module], None] = lambda relaxed: None,
    **options: object,
) -> Step:
    """A training step at half of theta's peak, with the usual penalties unless `options` say otherwise.

    prepare: called with the relaxed network
    """
    method = Relaxed(**options)
    relaxed = method.relax(model, torch.Generator().manual_seed(0))
    prepare(relaxed)

    def penalized(relaxed: nn.Module) -> Tensor:
        method.begin_step(relaxed, 25, 111)  # a quarter of the way through the 100 relaxed steps
        return loss(relaxed) + method.penalty(relaxed)

    return training_step(relaxed, penalized)


def table(comparisons: list[Comparison]) -> str:
    """One line for each comparison: medians in milliseconds, and the ratio with its quartiles."""
    lines = [f"{'CPU time, one thread':44s} {'reference':>12s} {'ours':>12s}   ratio (quartiles)"]
    for comparison in comparisons:
        slow, fast = (1e3 * statistics.median(times) for times in (comparison.reference, comparison.ours))
        low, middle, high = statistics.quantiles(comparison.ratios, n=4)
        lines.append(
            f"{comparison.name:44s} {slow:9.4g} ms {fast:9.4g} ms   {middle:.2f} ({low:.2f} to {high:.2f})"
        )
    return "\n".join(lines)


def shares(step: Step, rounds: int = 5, lines: int = 12) -> str:
    """Where the CPU time of a step goes: the operations that take the most, with their share of the whole."""
    for _ in range(10):
        step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(rounds):
            step()
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return "\n".join(
        f"{event.self_cpu_time_total / total:6.1%} {event.count / rounds:7.0f} x  {event.key}"
        for event in events[:lines]
    )
