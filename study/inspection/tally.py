"""The progress of each arm of a study, from the plan and the records of its results folder."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trainables.results.outcomes import Outcome
from trainables.results.record import Record

LONGEST_NAME = 28
COUNTS = ("planned", *(outcome.value for outcome in Outcome), "missing")


@dataclass(frozen=True)
class Tally:
    """Some planned trials, and the records of those that have ended.

    Attributes:
        planned: Number of planned trials.
        records: The records so far.
    """

    planned: int
    records: list[Record]

    @property
    def counts(self) -> dict[str, int]:
        """Planned trials, those of each outcome, and those without a record."""
        ended = Counter(record.outcome for record in self.records)
        outcomes = {outcome.value: ended[outcome] for outcome in Outcome}
        return {"planned": self.planned, **outcomes, "missing": self.planned - len(self.records)}

    @property
    def reasons(self) -> dict[str, int]:
        """How many trials failed or crashed for each reason, the most frequent first."""
        return dict(Counter(str(record.reason) for record in self.records if record.reason).most_common())

    @property
    def best(self) -> Record | None:
        """The trial with the best validation metric among those that learned."""
        learned = [
            record
            for record in self.records
            if record.outcome == Outcome.LEARNED and record.val_metric is not None
        ]
        return min(learned, key=_loss, default=None)


def _loss(record: Record) -> float:
    value = record.val_metric
    assert value is not None
    return -value if record.metric_goal == "max" else value


def tally_of_arms(entries: list[dict[str, Any]], records: dict[str, Record]) -> dict[str, Tally]:
    """The tally of each arm, in the order of the plan.

    Args:
        entries: Entries of plan.json, see `trainables.results.folder.Plan`.
        records: Records by trial id.
    """
    return _grouped(((entry.get("arm", "unnamed"), entry["id"]) for entry in entries), records)


def arms_as_json(entries: list[dict[str, Any]], records: dict[str, Record]) -> dict[str, Any]:
    """Counts, reasons and best trial of each arm, and its counts at each learning rate."""
    arms = tally_of_arms(entries, records)
    return {arm: {**_as_json(arms[arm]), "lr": _by_lr(entries, records, arm)} for arm in arms}


def _as_json(tally: Tally) -> dict[str, Any]:
    best = tally.best
    found = None if best is None else {"trial": best.id, "val_metric": best.val_metric}
    return {**tally.counts, "reasons": tally.reasons, "best": found}


def _by_lr(entries: list[dict[str, Any]], records: dict[str, Record], arm: str) -> dict[str, dict[str, int]]:
    keys = ((str(_lr(entry)), entry["id"]) for entry in entries if entry.get("arm", "unnamed") == arm)
    return {lr: tally.counts for lr, tally in _grouped(keys, records).items()}


def _lr(entry: dict[str, Any]) -> Any:
    training = entry.get("spec", {}).get("training", {})
    return training.get("lr", "unknown") if isinstance(training, dict) else "unknown"


def _grouped(keys: Iterable[tuple[str, str]], records: dict[str, Record]) -> dict[str, Tally]:
    """Tallies by key, from (key, trial id) of each planned trial."""
    ids: dict[str, list[str]] = {}
    for key, trial in keys:
        ids.setdefault(str(key), []).append(trial)
    return {
        key: Tally(len(trials), [records[trial] for trial in trials if trial in records])
        for key, trials in ids.items()
    }


def arms_table(arms: dict[str, Tally]) -> list[str]:
    """A table of at most 80 columns: a line for each arm with its counts and its best validation metric.

    The line of an arm with failed or crashed trials is followed by one with their reasons.
    """
    names = {arm: _short(arm) for arm in arms}
    width = max(map(len, ("arm", *names.values())))
    lines = [f"{'arm':{width}}  {' '.join(COUNTS)}  best"]
    for arm, tally in arms.items():
        counts = " ".join(f"{tally.counts[name]:{len(name)}}" for name in COUNTS)
        best = tally.best
        lines.append(f"{names[arm]:{width}}  {counts}  {'-' if best is None else f'{best.val_metric:.4g}'}")
        if tally.reasons:
            reasons = ", ".join(f"{number} {reason}" for reason, number in tally.reasons.items())
            lines.append(f"{'':{width}}  {reasons}")
    return lines


def _short(name: str) -> str:
    """A name as one line of bounded length."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 3] + "..."
