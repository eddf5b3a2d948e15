"""Simulated studies of 5 seeds x 7 learning rates whose truth is known."""

import numpy as np
import pandas as pd
from scipy import stats

STUDIES, SEEDS, AT_INIT = 2000, 5, 0.11
PLACES = np.linspace(-4, -1, 7)


class Population:
    """Studies whose curves differ: where training starts to fail, how steeply, the best rate, the noise."""

    def __init__(self, studies, seed):
        self.random = random = np.random.default_rng(seed)
        self.onset = random.uniform(-2.2, -1, studies)
        steepness = random.uniform(4, 10, studies)
        self.chance = 1 / (1 + np.exp(-steepness[:, None] * (PLACES - self.onset[:, None])))
        best, curvature = random.uniform(-3.2, -2.5, studies), random.uniform(0.15, 0.45, studies)
        self.median = 0.012 * 10 ** (curvature[:, None] * (PLACES - best[:, None]) ** 2)
        self.noise = random.uniform(0.08, 0.3, studies)
        self.shared = self.noise * random.uniform(0, 0.8, studies)  # the part that a seed shares across rates

    def draw(self, seeds, which=slice(None)):
        """Loss and failure, (studies, rates, seeds)."""
        chance, median = self.chance[which], self.median[which]
        noise, shared = self.noise[which], self.shared[which]
        size = (*chance.shape, seeds)
        own = np.sqrt(noise**2 - shared**2)[:, None, None] * self.random.normal(size=size)
        common = shared[:, None, None] * self.random.normal(size=(len(chance), 1, seeds))
        failed = self.random.random(size) < chance[:, :, None]
        loss = np.minimum(median[:, :, None] * np.exp(own + common), AT_INIT)
        return np.where(failed, AT_INIT, loss), failed

    def truth(self, seeds=4000, block=50):
        """Mean, median, mean of learned trials, (studies, rates), and the grid's interquartile mean, (studies,)."""
        means, medians, learned, iqms = [], [], [], []
        for start in range(0, len(self.onset), block):
            loss, failed = self.draw(seeds, slice(start, start + block))
            means.append(loss.mean(axis=2))
            learned.append(np.ma.masked_array(loss, failed).mean(axis=2).filled(np.nan))
            medians.append(np.median(loss, axis=2))
            iqms.append(stats.trim_mean(loss.reshape(len(loss), -1), 0.25, axis=1))
        return tuple(map(np.concatenate, (means, medians, learned, iqms)))


def table(loss, failed, case="one"):
    """Simulated studies as one prepared table, each study an arm."""
    _studies, _rates, seeds = loss.shape
    study, rate, seed = (index.ravel() for index in np.indices(loss.shape))
    numbers = {name: loss.ravel() for name in ("loss", "val_score", "score")}
    labels = {"case": case, "arm": study, "lr": 10 ** PLACES[rate], "seed": seed, "pair": rate * seeds + seed}
    constants = {"metric_goal": "min", "metric": "mse", "failed_loss": AT_INIT, "failed_score": AT_INIT}
    return pd.DataFrame({**labels, **numbers, "failed": failed.ravel(), **constants})


def two_arms(studies):
    """Studies of an arm whose losses are 10% lower, and the chance that a trial of it beats one of the control."""
    population, better = Population(STUDIES, 1), Population(STUDIES, 1)
    better.median = population.median * 0.9
    better.random = np.random.default_rng(5)
    for study in range(studies):
        which = slice(study, study + 1)
        ours, theirs = (table(*one.draw(SEEDS, which)) for one in (better, population))
        many = [one.draw(300, which)[0].ravel() for one in (better, population)]
        yield pd.concat([ours.assign(arm="new"), theirs.assign(arm="strict")]), _chance_to_beat(*many)


def _chance_to_beat(ours, theirs):
    theirs = np.sort(theirs)
    below = len(theirs) - np.searchsorted(theirs, ours, "right")
    equal = np.searchsorted(theirs, ours, "right") - np.searchsorted(theirs, ours, "left")
    return (below + equal / 2).mean() / len(theirs)
