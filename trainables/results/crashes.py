"""Why trials crashed: each reason once, with the number of trials it ended and a log to read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from trainables.results.outcomes import Outcome, Reason
from trainables.results.record import Record, log_path


@dataclass(frozen=True)
class Crashes:
    """Trials that crashed for the same reason.

    Attributes:
        log: Path, in the results folder, of the log of the first of them.
    """

    reason: str
    detail: str
    trials: int
    log: str

    def line(self, folder: str) -> str:
        """The crashes as one line of text."""
        who = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        return f"{who} crashed ({self.reason}): {self.detail}; see {folder.rstrip('/')}/{self.log}"


def crash_line(record: Record) -> str:
    """The most telling line of a crash: the detail, or in older records the last line of the traceback."""
    lines = record.detail.strip().splitlines()
    return lines[-1].strip() if lines else (record.reason or "for an unknown reason")


def crashes(records: Iterable[Record]) -> list[Crashes]:
    """The reasons for which trials crashed, the most frequent first."""
    crashed = [record for record in records if record.outcome == Outcome.CRASHED]
    kinds = Counter((record.reason or Reason.ERROR, crash_line(record)) for record in crashed)
    first = {(record.reason or Reason.ERROR, crash_line(record)): record.id for record in reversed(crashed)}
    return [Crashes(*kind, number, log_path(first[kind])) for kind, number in kinds.most_common()]


def as_json(found: list[Crashes]) -> list[dict[str, str | int]]:
    """The crashes as plain data."""
    return [asdict(one) for one in found]
