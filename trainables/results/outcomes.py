"""How a trial can end, and why. The values appear in records and tables."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a trial ended."""

    LEARNED = "learned"
    FAILED = "failed"
    """Training ended badly: a result, and the one that a study counts."""
    CRASHED = "crashed"
    """The machine, storage or an error in the code stopped the trial: no result."""


class Reason(StrEnum):
    """Why a trial failed or crashed."""

    NON_FINITE = "non_finite"
    DIVERGED = "diverged"
    NOT_LEARNED = "not_learned"
    COLLAPSED = "collapsed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    NODE_LOST = "node_lost"
    ERROR = "error"


AFTER_TRAINING = (Reason.NOT_LEARNED, Reason.COLLAPSED)
"""Reasons for which a trial fails although its training ran to the end."""
