"""The command line. Heavy imports stay inside the commands, so that help appears immediately."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from study.commands.jobs import fetch, logs, stop, submit
from study.commands.names import data, list_names
from study.commands.plan import check, plan
from study.commands.report import notebooks, pack, report, unpack, watch
from study.commands.run import run
from study.commands.show import show
from study.commands.status import status

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "plan": plan,
    "check": check,
    "submit": submit,
    "logs": logs,
    "stop": stop,
    "fetch": fetch,
    "status": status,
    "report": report,
    "watch": watch,
    "pack": pack,
    "unpack": unpack,
    "notebooks": notebooks,
    "data": data,
    "list": list_names,
    "show": show,
}
"""The commands, in the order in which help lists them."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would read text in brackets as markup
    help="Does relaxing equivariance during training make equivariant networks easier to train?",
)


def main() -> None:
    """Run the command; bad input is reported in one line on stderr, with exit code 2."""
    from trainables.errors import BadInput

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # consoles that cannot encode a character of a name
    try:
        _search_current_folder_last()
        app()
    except BadInput as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)


def _search_current_folder_last() -> None:
    """Make `model: mypackage.module:Net` importable from the current folder; its files cannot shadow our modules."""
    from trainables.errors import BadInput

    try:
        here = os.getcwd()
    except OSError as error:  # not even torch could be imported from here
        raise BadInput(f"the current folder cannot be used ({error.strerror}); change to another") from error
    if here != str(Path(__file__).parents[1]):
        sys.path[:] = [place for place in sys.path if place not in ("", here)]
        sys.path.append(here)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"equivariance-study {version('equivariance-study')}")
        raise typer.Exit()


@app.callback()
def _study(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for name, command in COMMANDS.items():
    app.command(name)(command)
