"""Whether a study can be refined as its config asks. Separate from the rounds, which load pandas."""

from study.config import StudyConfig, control_of
from study.refine.planned import PlannedTrial
from trainables.errors import BadInput


def check_refine(config: StudyConfig, grid: list[PlannedTrial]) -> None:
    """Raise BadInput if the grid cannot be refined as requested."""
    refine = config.refine
    if refine is None:
        return
    for axis, name in (("lr", "learning rates"), ("seed", "seeds")):
        if len(config.grid[axis]) < 2:
            raise BadInput(f"refine: needs at least two {name} to start from; extend grid.{axis}")
    streams = [key for key in config.grid if key.startswith("seed.")]
    if streams:
        raise BadInput(f"refine: chooses further seeds itself; remove {streams[0]} from the grid")
    if refine.score is not None and control_of(config) is None:
        raise BadInput("refine.score: there is no control to compare with; set `control` to an arm")
    if refine.budget < len(grid):
        raise BadInput(
            f"refine.budget: {refine.budget} is below the {len(grid)} trials of the grid; raise it, or make the grid "
            "smaller"
        )
