"""Check that the files a task reads are present, without loading them."""

from pathlib import Path
from typing import Any

from trainables.errors import BadInput
from trainables.tasks.datasets import remedy_if_missing


def check_files(task: dict[str, Any], folder: Path) -> None:
    """Raise BadInput if a file that the resolved task description needs is not in the data folder.

    Generated data needs none; a user's own task is not checked here, only when it is loaded.
    """
    match task["name"]:
        case "forces":
            from trainables.tasks.sources.molecules import molecule_files

            files = molecule_files(task["molecule"])
            for path in (files.pool, *files.tests.values(), *filter(None, [files.atoms])):
                if not (folder / path).is_file():
                    raise BadInput(f"task.molecule: {folder / path} is missing; {remedy_if_missing(path)}")
        case "mocap" if task["subject"] is None:
            from trainables.tasks.mocap import PUBLIC

            for path in PUBLIC:
                if not (folder / path).is_file():
                    raise BadInput(f"task: {folder / path} is missing; fetch it with 'study data mocap'")
        case "mocap":
            if not (folder / task["subject"]).is_dir():
                raise BadInput(
                    f"task.subject: {folder / task['subject']} is not a folder; "
                    "create it with one .asf and at least three .amc files"
                )
        case "pointclouds":
            from trainables.tasks.sources.cloud_files import files_of

            files_of(task["source"], folder, task["path"])
