"""The plan of a study as a search algorithm of Ray Tune: one Tune trial per study trial, round after round."""

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

Config = dict[str, Any]
"""The `config` of a Tune trial; `trial` holds the id of the study trial."""


class PlannedSearch(Searcher):
    """Suggests the trials that wait, and the next round when the last one is done.

    Args:
        configs: Configs of the trials to begin with, in the order to run them.
        next_round: Called when no trial waits or runs; the configs of the trials that follow, none to end.
    """

    def __init__(self, configs: Iterable[Config], next_round: Callable[[], list[Config]]) -> None:
        super().__init__()
        self.waiting, self.next_round = deque(configs), next_round
        self.unfinished: set[str] = set()  # by Tune's ids; a trial whose worker is lost stays one of them

    def suggest(self, trial_id: str) -> Any:
        """The config of the next trial, None while the round is not over, FINISHED where none follows."""
        if not self.waiting and not self.unfinished:
            self.waiting.extend(self.next_round())
        if self.waiting:
            self.unfinished.add(trial_id)
            return self.waiting.popleft()
        return None if self.unfinished else Searcher.FINISHED

    def again(self, config: Config) -> None:
        """Suggest a trial once more, before those that wait, as a new one of Tune's."""
        self.waiting.appendleft(config)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Note that Tune is done with a trial."""
        self.unfinished.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Leave an empty file: the results folder remembers what is done, and no sweep is restored."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing; see `save`."""
