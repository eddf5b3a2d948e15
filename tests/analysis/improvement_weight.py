"""How often the interval of the probability of improvement contains the truth, by the weight in `unseen`.

`python tests/analysis/improvement_weight.py` prints the last line of the table in `analysis.statistics.unseen`
(seven minutes).
"""

import numpy as np
from populations import STUDIES, two_arms

from analysis.statistics import probability_of_improvement, unseen

WEIGHTS = (0, 0.0005, 0.002, 0.01, 0.02, 0.05, 0.1, 0.2)


def coverages(studies=STUDIES):
    """The share of simulated studies whose interval contains the truth, by weight."""
    held = np.zeros(len(WEIGHTS))
    for trials, true in two_arms(studies):
        for place, weight in enumerate(WEIGHTS):
            unseen.IMPROVEMENT = weight
            found = probability_of_improvement(trials, {"one": "strict"}).iloc[0]
            held[place] += found["low"] <= true <= found["high"]
    return dict(zip(WEIGHTS, held / studies, strict=True))


if __name__ == "__main__":
    for weight, share in coverages().items():
        print(f"{weight}: {100 * share:.1f}%")
