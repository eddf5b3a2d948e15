"""The command line. Heavy imports wait inside the commands, so that help comes at once."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Does relaxing equivariance during training make equivariant networks easier to train?",
)

DEFAULT_DATA = "~/.cache/equivariance-study"
Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A preset's name or a YAML file.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A results folder, local or s3://.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of CONFIG.")]
Data = Annotated[
    str, typer.Option("--data-dir", envvar="STUDY_DATA", help="Where data sets and made data lie.")
]


def main() -> None:
    """Run the command; bad input is one line on stderr and exit code 2."""
    from trainables.registry import BadInput

    sys.path.insert(0, os.getcwd())  # so that `model: mypackage.module:MyNet` is found
    try:
        app()
    except BadInput as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)


@app.command()
def run(
    config: Config,
    results: Annotated[str | None, typer.Option(help="Results folder [default: results/NAME].")] = None,
    set_: Set = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster to run on, such as auto.")] = None,
    data_dir: Data = DEFAULT_DATA,
) -> None:
    """Run what is missing of a study, show progress, write the report."""
    from study.config import load_config
    from study.plan import status
    from trainables.store import open_store

    study = load_config(config, set_)
    store = open_store(results or f"results/{study.name}")
    _check_writable(store)
    from study.run import run_study

    try:
        run_study(study, store, data_dir, address)
    except KeyboardInterrupt:
        print(f"\nStopped. What is done is kept in {store.uri}; the same command goes on from there.")
        raise typer.Exit(130) from None
    counts, _ = status(store)
    page = _report([store.uri], store.uri)
    print(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    print(f"report: {page}")
    raise typer.Exit(1 if counts["crashed"] or counts["missing"] else 0)


@app.command()
def plan(config: Config, set_: Set = None) -> None:
    """The trials of a study, their number and an estimate of the cost; runs nothing."""
    from study.config import load_config
    from study.plan import plan as plan_trials

    study = load_config(config, set_)
    trials = plan_trials(study)
    for arm, method in study.arms.items():
        print(f"  arm {arm}: {method['name']}, {sum(trial.arm == arm for trial in trials)} trials")
    for axis, values in study.grid.items():
        print(f"  grid {axis}: {', '.join(f'{v:g}' if isinstance(v, float) else str(v) for v in values)}")
    print(f"{study.name}: {len(trials)} trials of {study.training.epochs} epochs")


@app.command()
def status(folder: Folder, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """How many trials are planned, learned, failed, crashed, missing; also while a run is going on."""
    from study.plan import status as count_trials
    from trainables.store import open_store

    counts, complaints = count_trials(open_store(folder))
    for complaint in complaints:
        print(f"study: {complaint}", file=sys.stderr)
    print(json.dumps(counts) if as_json else "\n".join(f"{key:8} {value}" for key, value in counts.items()))


@app.command()
def report(folders: Annotated[list[str], typer.Argument(metavar="DIR...")]) -> None:
    """Tables, figures, report.html and summary.json from the folders alone."""
    print(_report(folders, folders[0]))


@app.command()
def pack(folder: Folder, file: Annotated[str, typer.Argument(metavar="FILE")]) -> None:
    """Put a results folder into one Parquet file, which every analysis takes too."""
    from analysis.pack import pack as pack_folder

    print(f"{file}: {pack_folder(folder, file)} files")


@app.command()
def notebooks(folder: Folder) -> None:
    """Execute the analysis notebooks on a folder and put them, with their HTML, beside its report."""
    from analysis.run_notebooks import execute_notebooks

    for path in execute_notebooks(folder, folder):
        print(path)


@app.command()
def data(name: Annotated[str, typer.Argument(metavar="NAME")], data_dir: Data = DEFAULT_DATA) -> None:
    """Fetch a public data set, its hash checked, into the data folder."""
    from trainables.datasets import fetch

    for path in fetch(name, Path(data_dir).expanduser()):
        print(path)


@app.command("list")
def list_names() -> None:
    """Presets, tasks, models, methods and schedules."""
    from study.config import presets
    from trainables.registry import REGISTRY
    from trainables.relaxation.schedules import FALLS

    print(f"presets: {', '.join(presets())}")
    for kind, names in REGISTRY.items():
        print(f"{kind}s: {', '.join(names)}")
    print(f"schedules: {', '.join(FALLS)}")


def _report(folders: list[str], into: str) -> str:
    from analysis.report import write_report
    from trainables.registry import BadInput

    try:
        write_report(folders, into)
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(f"DIR: {error}") from error
    return f"{into.rstrip('/')}/report/report.html"


def _check_writable(store: "object") -> None:
    from trainables.registry import BadInput

    try:
        store.write("run.probe", b"")
        store.delete("run.probe")
    except OSError as error:
        raise BadInput(f"--results: {store.uri} cannot be written ({error.strerror or error})") from error
