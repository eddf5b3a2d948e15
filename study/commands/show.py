"""`study show`: one trial of a results folder."""

from pathlib import Path
from typing import Annotated

import typer

from study.commands.folders import bad_folder_is_bad_input
from study.commands.options import DEFAULT_DATA, Data, Folder, Trial


def show(
    folder: Folder,
    trial: Trial,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Train it again here; exit code 0 if every number matches the record."
        ),
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Train it again and save the delivered network here.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE", help="Code outside this project that the trial may run, as package.module."
        ),
    ] = None,
    data_dir: Data = DEFAULT_DATA,
) -> None:
    """Show a trial's outcome, numbers and settings. The beginning of its id is enough; DIR may be a packed file."""
    from study.inspection.show import show as show_trial
    from trainables.results.pack import open_source

    with bad_folder_is_bad_input():
        store = open_source(folder)
        if not retrain and weights is None:
            print(show_trial(store, trial))
            return
    print(f"reading {folder}", flush=True)  # before the imports, which take seconds
    from study.inspection.confirm import confirm

    if not confirm(store, trial, Path(data_dir).expanduser(), weights, allow or ()):
        raise typer.Exit(1)
