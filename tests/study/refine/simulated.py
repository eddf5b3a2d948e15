"""Refined studies without training: the rule requests trials, and known curves give their results.

`python tests/study/refine/simulated.py 1000` prints coverage and numbers of trials for each curve.
"""

import sys
import time
from dataclasses import dataclass
from math import inf

import numpy as np
import pandas as pd

from analysis.statistics.best_setting import choose_rates, sign_flip_test
from analysis.statistics.intervals import t_interval
from analysis.statistics.onset import half_failure_rate
from analysis.statistics.precision import LEAST_PAIRS, within
from study.refine.rule import at_chosen_rates, at_edges

AT_INIT = 0.28
GRID = (1e-4, 1e-3, 1e-2, 1e-1)
ENDS = (-4.0, -1.0)
EDGE, SCORE = 0.1, 0.02
MOST = 3000  # trials, far beyond what a study needs
NOISE = 0.05  # of a score, as a share of the score
AS_VALIDATED = 0.8  # correlation of the noise of test and validation scores


@dataclass(frozen=True)
class Curve:
    """The truth about the arms, the first of which is the control.

    edges: log10 of each arm's LR50; slope: of the logistic curve of failures, logits per decade
    means: each arm's mean score at its best rate
    rare: chance of failure far from every edge; lower: log10 of the rate below which trials fail to learn
    """

    edges: tuple[float, ...]
    slope: float
    means: tuple[float, ...]
    rare: float = 0.0
    lower: float = -inf

    def chance(self, arm: int, place: float, shift: float) -> float:
        """Chance of failure at a log10 rate; all edges are shifted, so that none is where the rule tends to look."""
        survives = 1 - self.rare
        for distance in (place - self.edges[arm] - shift, self.lower + shift - place):
            survives /= 1 + np.exp(np.clip(self.slope * distance, -50, 50))
        return float(1 - survives)

    def mean(self, arm: int, place: float) -> float:
        """Mean score of the trials that learned at a log10 rate."""
        return self.means[arm] * 10 ** (0.3 * (place + 2.7) ** 2)


class Simulated:
    """A study whose trials are drawn from a curve, each with its own seed, in any order of requests."""

    def __init__(self, curve: Curve, number: int):
        self.curve, self.number = curve, number
        self.shift = float(np.random.default_rng([number, 7]).uniform(-0.12, 0.12))
        self.rows: dict[tuple[str, float, int], dict] = {}
        self.failures: dict[tuple[str, float], int] = {}
        self.seeds: dict[tuple[str, float], int] = {}

    def run(self, arm: str, lr: float, seed: int, in_round: int = 1) -> None:
        """Add a trial unless it exists; half of the variance of its score is shared by the arms."""
        if (arm, lr, seed) in self.rows:
            return
        place, index = float(np.log10(lr)), int(arm[3:])
        shared, own = (
            np.random.default_rng([self.number, stream, round((place + 9) * 1000), seed])
            for stream in (99, index)
        )
        luck = (shared.normal(size=2) + own.normal(size=2)) / np.sqrt(2)
        luck[1] = AS_VALIDATED * luck[0] + np.sqrt(1 - AS_VALIDATED**2) * luck[1]
        failed = bool(own.random() < self.curve.chance(index, place, self.shift))
        val, test = (AT_INIT, AT_INIT) if failed else self.curve.mean(index, place) * (1 + NOISE * luck)
        labels = {"case": "one", "arm": arm, "lr": lr, "seed": seed, "round": in_round, "metric": "mse"}
        constants = {"is_control": index == 0, "metric_goal": "min"}
        self.rows[arm, lr, seed] = labels | constants | {"val_score": val, "score": test, "failed": failed}
        self.failures[arm, lr] = self.failures.get((arm, lr), 0) + failed
        self.seeds[arm, lr] = self.seeds.get((arm, lr), 0) + 1

    def grid(self, rates: tuple[float, ...], seeds: int) -> "Simulated":
        """Run all arms at all rates with all seeds."""
        for arm in self.arms:
            for lr in rates:
                for seed in range(seeds):
                    self.run(arm, lr, seed)
        return self

    @property
    def arms(self) -> list[str]:
        """Names of the arms."""
        return [f"arm{number}" for number in range(len(self.curve.edges))]

    def table(self) -> pd.DataFrame:
        """The table of trials, as `prepare` gives it."""
        return pd.DataFrame(list(self.rows.values()))

    def planned(self) -> pd.Series:
        """Numbers of seeds by arm and learning rate."""
        return pd.Series(self.seeds).rename_axis(["arm", "lr"])

    def edges(self) -> pd.DataFrame:
        """The table of `precision.edges`, from numbers of failures instead of a table of trials: much faster."""
        found = []
        for arm in self.arms:
            rates = sorted(lr for name, lr in self.seeds if name == arm)
            numbers = [[by[arm, lr] for lr in rates] for by in (self.failures, self.seeds)]
            found.append(half_failure_rate(np.array(rates), *np.array(numbers, float)))
        low, high = within(pd.DataFrame(found), np.array([ENDS] * len(found)))
        return pd.DataFrame(
            {"case": "one", "arm": self.arms, "low": low, "high": high, "edge": (high - low) / 2}
        )

    def pairs(self, arm: str, rates: dict[str, float]) -> np.ndarray:
        """Scores of an arm and of the control at their rates, for each seed with which both learned, (pairs, 2)."""
        both = [
            {
                seed: row["score"]
                for (who, lr, seed), row in self.rows.items()
                if (who, lr) == (name, rates[name]) and not row["failed"]
            }
            for name in (arm, "arm0")
        ]
        seeds = sorted(both[0].keys() & both[1])
        return np.array([[scores[seed] for scores in both] for seed in seeds]).reshape(-1, 2)

    def scores(self, rates: dict[str, float]) -> pd.DataFrame:
        """The columns of `precision` that request seeds, and the interval's ends, from the scores themselves."""
        control = self.pairs("arm0", rates)[:, 0].mean()
        rows = [{"case": "one", "arm": "arm0", "lr": rates["arm0"]}]
        for arm in self.arms[1:]:
            found = self.pairs(arm, rates) @ [1, -1]
            row = {"case": "one", "arm": arm, "lr": rates[arm], "pairs": len(found), "score": np.inf}
            row |= {"low": np.nan, "high": np.nan}
            if len(found) >= LEAST_PAIRS:
                low, high = map(float, t_interval(found.mean(), found.std(ddof=1), len(found)))
                row |= {"low": low, "high": high, "score": (high - low) / 2 / control}
            rows.append(row)
        return pd.DataFrame(rows)

    def chosen(self) -> dict[str, float]:
        """The chosen learning rate of each arm."""
        return choose_rates(self.table()).set_index("arm")["lr"].to_dict()

    def refine(self, edge: float = EDGE, score: float = SCORE) -> "Simulated":
        """Run trials until the rule requests no more."""
        rates = self.chosen()
        in_round, before = 1, 0
        while before < len(self.rows) < MOST:
            before, in_round = len(self.rows), in_round + 1
            groups = at_edges(self.edges(), self.planned(), edge)
            groups = groups or at_chosen_rates(self.scores(rates), self.planned(), score)
            for want in [want for group in groups for want in group]:
                for seed in range(want.seeds):
                    self.run(want.arm, want.lr, seed, in_round)
        return self


def answers(curve: Curve, number: int, edge: float = EDGE, score: float = SCORE) -> pd.DataFrame:
    """A row for each arm of a refined study: do its intervals contain the truth, and how wide are they?"""
    study = Simulated(curve, number).grid(GRID, 2)
    rates = study.chosen()
    study.refine(edge, score)
    table = study.edges().merge(study.scores(rates), on="arm", suffixes=("_edge", "_score"))
    edges = np.clip(np.array(curve.edges) + study.shift, *ENDS)
    means = np.array([curve.mean(index, np.log10(rates[arm])) for index, arm in enumerate(study.arms)])
    difference = means - means[0]
    return table.assign(
        study=number,
        trials=len(study.rows),
        rounds=max(row["round"] for row in study.rows.values()),
        covers_edge=(table["low_edge"] <= edges + 1e-9) & (edges - 1e-9 <= table["high_edge"]),
        covers_difference=(table["low_score"] <= difference) & (difference <= table["high_score"]),
        p=[np.nan, *(sign_flip_test(study.pairs(arm, rates) @ [1, -1]) for arm in study.arms[1:])],
        alike=difference == 0,
    )


ALIKE, APART = (-2.1,) * 3, (-2.4, -1.8, -2.1)
SAME, OTHER = (0.012,) * 3, (0.012, 0.0125, 0.0115)
CURVES = {
    "sharp edge, arms alike": Curve(ALIKE, 60, SAME),
    "flat edge, arms alike": Curve(ALIKE, 10, SAME),
    "sharp edges, arms differ": Curve(APART, 60, OTHER),
    "flat edges, arms differ": Curve(APART, 10, OTHER),
    "two edges in the grid": Curve((-1.6, -1.9, -1.75), 20, OTHER, lower=-3.5),
    "edge outside": Curve((-0.3,) * 3, 20, OTHER),
    "1% fail everywhere": Curve(ALIKE, 20, SAME, rare=0.01),
}


def main(studies: int, names: list[str]) -> None:
    """Print coverage and numbers of trials by curve."""
    for name in names or CURVES:
        start = time.process_time()
        found = pd.concat(answers(CURVES[name], number) for number in range(studies))
        others = found[found["pairs"].notna()]
        null = others[others["alike"]]
        print(
            f"| {name} | {found.groupby('study')['trials'].first().median():.0f} "
            f"| {found['covers_edge'].mean():.3f} | {others['covers_difference'].mean():.3f} "
            f"| {(null['p'] <= 0.05).mean():.3f} | {found['rounds'].mean():.1f} rounds, widest "
            f"{found['edge'].max():.3f} {found['score'].max():.4f}, {(time.process_time() - start) / studies:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
