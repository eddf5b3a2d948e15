"""Statistics of the trials: for each question, a function that returns a small table.

Each takes the table of `analysis.load_trials` as it is (or of `analysis.prepare.prepare`, or a part of that):

    from analysis import load_trials, statistics

    trials = load_trials("results/my-study")
    statistics.paired_failures(trials)

The unit is the trial; seeds are random, the grid is fixed; crashed trials count neither as failed nor as learned.
Every interval is a 95% interval, in the columns low and high. A case is a task with a model and settings.

How often does training fail?
    failure_rates               share of failed trials for each group, Wilson's interval
    grid_failure_rates          the same over the whole grid, each learning rate with the same weight
    paired_failures             difference from the control, paired; Newcombe's interval, McNemar's test
    failure_verdicts            the same with a verdict and the largest effect not excluded
    why_failed                  first value that is not finite, and spikes, of each failed trial

What does the learning rate do?
    half_failure_rates          LR50, the learning rate at which half of the seeds fail
    usable_widths               decades of learning rate that can be used
    loss_curve                  median and range of the loss at each learning rate
    rate_sensitivity            what is lost by not choosing the learning rate (Wortsman et al. 2023)
    variance_shares             which factor decides the loss: shares of its variance
    hyperparameter_sensitivity  must it be tuned for each case? (Adkins et al. 2024; two cases or more)

How good is an arm?
    choose_rates                the learning rate chosen on validation, for each case and arm
    middle_rates                the middle of the grid, which is fixed before any trial
    at_chosen_rates             the trials at one learning rate for each case and arm
    scores_at                   test score at these rates, mean and sd, Student's interval
    paired_differences          its difference from the control, paired by seed
    paired_scores               the same with the sign-flip test
    score_verdicts              the same with a verdict and the largest effect not excluded
    interquartile_means         mean of the middle half of the test scores over the grid (IQM)
    expected_best               expected best of n trials, with a band (Dodge et al. 2019)
    probability_of_improvement  chance that a trial of the arm beats one of the control
    performance_profiles        the whole distribution of scores over all cases
    sample_differences          difference from the control over seeds and test samples
    worst_samples               part of the test metric that comes from the worst 1% of the samples
    equivariance                largest equivariance error of the delivered models

What does it cost, and what would it take?
    cost                        parameters and seconds of each case and arm
    training_share              share of the workers' time that went into trials
    times_to_target             steps of each trial until it reaches what the control reaches
    time_to_target              the mean of these, and its difference from the control
    seeds_needed                seeds that would show a given difference
    precision                   current widths of the intervals that `refine` narrows

The arithmetic behind these, from numbers and arrays to numbers and arrays
    wilson                      interval of a proportion
    t_interval                  Student's interval of a mean
    grid_share                  mean of the shares of cells, and its interval
    newcombe_paired             difference of two paired proportions, and its interval
    mcnemar_exact               p value of discordant pairs
    sign_flip_test              p value of paired differences
    holm                        p values corrected for their number
    verdict                     better, worse, equivalent or undecided, by an interval
    not_excluded                largest effect that an interval does not exclude
    equivalent_failures         both one-sided tests of paired failures
    equivalent_scores           both one-sided tests of paired scores
    half_failure_rate           LR50 of counts at learning rates
    failure_curve               the fitted chance of failure with its band
    best_of                     expected best of n draws
    best_of_band                its band for all n at once
    crossed_interval            mean of (seeds, samples), and its interval over both
    worst_share                 part of the sum that comes from the worst 1%
    num_worst                   how many samples make up the worst 1%
    survival_curve              Kaplan and Meier's curve
    restricted_mean             mean time to the target within a horizon
    paired_interval             Student's interval of paired differences
    seeds_for_score             seeds for a difference of scores
    seeds_for_score_interval    the same with the interval due to the uncertain spread
    seeds_for_failures          seeds for a difference of failure rates
    spikes                      number and size of jumps of a loss
"""

from analysis.statistics.best_setting import (
    at_chosen_rates,
    choose_rates,
    paired_differences,
    paired_scores,
    scores_at,
    sign_flip_test,
)
from analysis.statistics.budget import best_of, best_of_band, expected_best
from analysis.statistics.cost import cost, training_share
from analysis.statistics.curves import loss_curve
from analysis.statistics.equivalence import (
    equivalent_failures,
    equivalent_scores,
    failure_verdicts,
    not_excluded,
    score_verdicts,
    verdict,
)
from analysis.statistics.equivariance import equivariance
from analysis.statistics.failure import failure_rates
from analysis.statistics.grid_failure import grid_failure_rates, grid_share
from analysis.statistics.holm import holm
from analysis.statistics.hyperparameters import hyperparameter_sensitivity
from analysis.statistics.improvement import probability_of_improvement
from analysis.statistics.intervals import t_interval, wilson
from analysis.statistics.onset import failure_curve, half_failure_rate, half_failure_rates
from analysis.statistics.paired import mcnemar_exact, newcombe_paired, paired_failures
from analysis.statistics.precision import precision
from analysis.statistics.profiles import performance_profiles
from analysis.statistics.samples import (
    crossed_interval,
    num_worst,
    sample_differences,
    worst_samples,
    worst_share,
)
from analysis.statistics.seeds_needed import (
    seeds_for_failures,
    seeds_for_score,
    seeds_for_score_interval,
    seeds_needed,
)
from analysis.statistics.sensitivity import rate_sensitivity
from analysis.statistics.time_to_target import (
    paired_interval,
    restricted_mean,
    survival_curve,
    time_to_target,
    times_to_target,
)
from analysis.statistics.usable_width import usable_widths
from analysis.statistics.variance import variance_shares
from analysis.statistics.why_failed import spikes, why_failed
from analysis.statistics.without_tuning import interquartile_means, middle_rates

__all__ = [
    "at_chosen_rates",
    "best_of",
    "best_of_band",
    "choose_rates",
    "cost",
    "crossed_interval",
    "equivalent_failures",
    "equivalent_scores",
    "equivariance",
    "expected_best",
    "failure_curve",
    "failure_rates",
    "failure_verdicts",
    "grid_failure_rates",
    "grid_share",
    "half_failure_rate",
    "half_failure_rates",
    "holm",
    "hyperparameter_sensitivity",
    "interquartile_means",
    "loss_curve",
    "mcnemar_exact",
    "middle_rates",
    "newcombe_paired",
    "not_excluded",
    "num_worst",
    "paired_differences",
    "paired_failures",
    "paired_interval",
    "paired_scores",
    "performance_profiles",
    "precision",
    "probability_of_improvement",
    "rate_sensitivity",
    "restricted_mean",
    "sample_differences",
    "score_verdicts",
    "scores_at",
    "seeds_for_failures",
    "seeds_for_score",
    "seeds_for_score_interval",
    "seeds_needed",
    "sign_flip_test",
    "spikes",
    "survival_curve",
    "t_interval",
    "time_to_target",
    "times_to_target",
    "training_share",
    "usable_widths",
    "variance_shares",
    "verdict",
    "why_failed",
    "wilson",
    "worst_samples",
    "worst_share",
]
