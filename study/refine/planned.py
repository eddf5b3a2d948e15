"""A trial of a plan: the spec itself knows neither arm nor round."""

from dataclasses import dataclass
from typing import Any

from trainables.spec import Training, TrialSpec


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of the plan and the arm it belongs to.

    Attributes:
        shared: The training settings of the other arms, if this arm differs.
        round: Round in which the trial was planned; the grid is the first.
    """

    id: str
    arm: str
    spec: TrialSpec
    shared: Training | None = None
    round: int = 1

    def entry(self) -> dict[str, Any]:
        """The trial as an entry of plan.json; with `shared` and `round` only if they are not the default."""
        entry: dict[str, Any] = {"id": self.id, "arm": self.arm, "spec": self.spec.model_dump(mode="json")}
        if self.shared is not None:
            entry["shared"] = {"training": self.shared.model_dump(mode="json")}
        return entry if self.round == 1 else {**entry, "round": self.round}


def planned_from(entry: dict[str, Any]) -> PlannedTrial:
    """The trial of an entry of plan.json. Raises KeyError, TypeError or ValueError if the entry is not a trial."""
    shared = Training(**entry["shared"]["training"]) if "shared" in entry else None
    return PlannedTrial(entry["id"], entry["arm"], TrialSpec(**entry["spec"]), shared, entry.get("round", 1))
