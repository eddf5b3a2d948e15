"""How many trials does a fixed grid need for the precision that `refine` reaches?

`python tests/study/refine/grids.py 9` prints the table of analysis/README.md.
"""

import sys
from collections.abc import Iterator

import numpy as np
from simulated import EDGE, SCORE, Curve, Simulated

ARMS = 5
RATES = (
    4,
    7,
    10,
    13,
    16,
    19,
    25,
    31,
)  # from 1e-4 to 1e-1: a decade apart, then half of one, then a third ...
MOST_SEEDS = 80
APART = (-2.4, -1.8, -2.1, -1.95, -2.25)
SAME, OTHER = (0.012,) * ARMS, (0.012, 0.0125, 0.0115, 0.0122, 0.0118)
FIVE_ARMS = {
    "sharp edge, arms alike": Curve((-2.1,) * ARMS, 60, SAME),
    "flat edge, arms alike": Curve((-2.1,) * ARMS, 10, SAME),
    "sharp edges, arms differ": Curve(APART, 60, OTHER),
    "flat edges, arms differ": Curve(APART, 10, OTHER),
    "two edges in the grid": Curve((-1.6, -1.9, -1.75, -1.7, -1.8), 20, OTHER, lower=-3.5),
    "edge outside": Curve((-0.3,) * ARMS, 20, OTHER),
}


def spaced(number: int) -> tuple[float, ...]:
    """Learning rates from 1e-4 to 1e-1 in even steps of their logarithm."""
    return tuple(float(f"{rate:.4g}") for rate in np.logspace(-4, -1, number))


def refined_trials(curve: Curve, studies: int) -> float:
    """Median number of trials of refined studies."""
    return float(
        np.median([len(Simulated(curve, n).grid(spaced(4), 2).refine().rows) for n in range(studies)])
    )


def reaches(curve: Curve, number: int, rates: int, seeds: int) -> bool:
    """Whether a fixed grid reaches both widths in every arm."""
    study = Simulated(curve, number).grid(spaced(rates), seeds)
    if (study.edges()["edge"] > EDGE).any():
        return False
    return bool((study.scores(study.chosen())["score"].iloc[1:] <= SCORE).all())


def mostly(curve: Curve, studies: int, rates: int, seeds: int) -> bool:
    """Whether more than half of the studies with this grid reach both widths."""
    verdicts = _until_decided((reaches(curve, n, rates, seeds) for n in range(studies)), studies)
    return sum(verdicts) * 2 > studies


def _until_decided(verdicts: Iterator[bool], number: int) -> list[bool]:
    seen: list[bool] = []
    while 2 * sum(seen) <= number and 2 * (len(seen) - sum(seen)) < number:
        seen.append(next(verdicts))
    return seen


def smallest_grid(curve: Curve, studies: int) -> tuple[int, int] | None:
    """The numbers of rates and seeds with the fewest trials that reach both widths; None if no grid does.

    Tries grids of RATES with up to MOST_SEEDS. For each number of rates the fewest seeds are found by
    bisection: more seeds make an interval wider only by chance.
    """
    best: tuple[int, int] | None = None
    for rates in RATES:
        enough = MOST_SEEDS if best is None else (best[0] * best[1] - 1) // rates
        few = 1
        if enough < 2 or not mostly(curve, studies, rates, enough):
            continue
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if mostly(curve, studies, rates, middle) else (middle, enough)
        best = (rates, enough)
    return best


def main(studies: int, names: list[str]) -> None:
    """Print the trials of refined studies and of the smallest grid by curve."""
    for name in names or FIVE_ARMS:
        ours, grid = refined_trials(FIVE_ARMS[name], studies), smallest_grid(FIVE_ARMS[name], studies)
        rates, seeds = grid or (RATES[-1], MOST_SEEDS)
        trials = ARMS * rates * seeds
        size = f"{trials} = {ARMS} x {rates} x {seeds}" if grid else f"more than {trials}"
        print(f"| {name} | {ours:.0f} | {size} | {ours / trials:.2f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
