"""All trials of a results folder use one version of each data file and of each user module."""

from pathlib import Path

from study.plan import PlannedTrial
from trainables.errors import BadInput
from trainables.results.versions import code_hash
from trainables.worker.sources import changed, sources


def check_sources(
    results: str, missing: list[PlannedTrial], before: list[dict[str, str]], data_folder: str
) -> None:
    """Raise BadInput if the missing trials would use other data or modules than the recorded ones.

    If the driver of a cluster does not have the data, only the report can show a difference.

    Args:
        results: URI of the results folder.
        before: The sources of the existing records.
    """
    seen: set[str] = set()
    for trial in missing if before else ():
        kind = f"{trial.spec.task} {trial.spec.model} {trial.spec.method} {trial.spec.training.optimizer}"
        if kind in seen:
            continue
        seen.add(kind)
        now = sources(trial.spec, Path(data_folder), code_hash())
        for earlier in before:
            for name in changed(now, earlier):
                raise BadInput(
                    f"results: {results} contains trials made with another version of {name}; "
                    "choose another folder with --results, or restore that version"
                )
