"""Arguments and options that several commands take."""

from typing import Annotated

import typer

DEFAULT_DATA = "~/.cache/equivariance-study"
Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A preset's name or a YAML file.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A results folder, local or s3://.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of CONFIG.")]
JobOrFolder = Annotated[str, typer.Argument(metavar="JOB|DIR", help="A job's id, or a results folder.")]
JobAddress = Annotated[str | None, typer.Option("--address", help="Job server, if JOB is an id.")]
Trial = Annotated[str, typer.Argument(metavar="TRIAL", help="A trial's id, or the beginning of one.")]
Check = Annotated[bool, typer.Option(help="Check data, networks and methods before the first trial.")]
Data = Annotated[
    str, typer.Option("--data-dir", envvar="STUDY_DATA", help="Folder of downloaded and generated data sets.")
]
