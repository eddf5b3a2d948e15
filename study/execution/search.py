"""The plan of a study as a search algorithm of Ray Tune: one Tune trial per study trial, round after round."""

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

Config = dict[str, Any]
"""The `config` of a Tune trial; `trial` is the id of the study trial."""


class PlannedSearch(Searcher):
    """Suggests the waiting trials, and the next round when the current one is done.

    Args:
        configs: Configs of the trials to begin with, in the order to run them.
        next_round: Called when no trial is waiting or running; returns the configs of the next round, none to end.
    """

    def __init__(self, configs: Iterable[Config], next_round: Callable[[], list[Config]]) -> None:
        super().__init__()
        self.waiting, self.next_round = deque(configs), next_round
        self.unfinished: set[str] = set()  # by Tune's ids; includes trials whose worker was lost

    def suggest(self, trial_id: str) -> Any:
        """The config of the next trial, None until the round is over, FINISHED if no trial follows."""
        if not self.waiting and not self.unfinished:
            self.waiting.extend(self.next_round())
        if self.waiting:
            self.unfinished.add(trial_id)
            return self.waiting.popleft()
        return None if self.unfinished else Searcher.FINISHED

    def again(self, config: Config) -> None:
        """Suggest a trial once more, ahead of those that wait, as a new Tune trial."""
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
