"""The command line. Heavy imports wait inside the commands, so that help comes at once."""

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from study.execution.jobs import Job
    from study.refine.state import RoundsState
    from trainables.results.record import Record
    from trainables.results.store import Store

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would read text in brackets as markup
    help="Does relaxing equivariance during training make equivariant networks easier to train?",
)

TERMINAL = 80
DEFAULT_DATA = "~/.cache/equivariance-study"
Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A preset's name or a YAML file.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A results folder, local or s3://.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of CONFIG.")]
JobOrFolder = Annotated[str, typer.Argument(metavar="JOB|DIR", help="A job's id, or a results folder.")]
JobAddress = Annotated[str | None, typer.Option("--address", help="Job server, where JOB is an id.")]
Trial = Annotated[str, typer.Argument(metavar="TRIAL", help="A trial's id, or its beginning.")]
Check = Annotated[bool, typer.Option(help="Try data, networks and methods before the first trial.")]
Data = Annotated[
    str, typer.Option("--data-dir", envvar="STUDY_DATA", help="Where data sets and made data lie.")
]


def main() -> None:
    """Run the command; bad input is one line on stderr and exit code 2."""
    from trainables.errors import BadInput

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # consoles that do not know a mark of a name
    try:
        _look_here_last()
        app()
    except BadInput as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)


def _look_here_last() -> None:
    """Have `model: mypackage.module:MyNet` found in the current folder, and nothing there hide a module of ours."""
    from trainables.errors import BadInput

    try:
        here = os.getcwd()
    except OSError as error:  # torch could not even be imported
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


@app.command()
def run(
    config: Config,
    results: Annotated[str | None, typer.Option(help="Results folder [default: results/NAME].")] = None,
    set_: Set = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster to run on, such as auto.")] = None,
    data_dir: Data = DEFAULT_DATA,
    retry_crashed: Annotated[bool, typer.Option(help="Run trials again that crashed before.")] = False,
    tensorboard: Annotated[
        str | None, typer.Option(help="Show curves live in this TensorBoard folder too.")
    ] = None,
    mlflow: Annotated[
        str | None, typer.Option(help="Show curves live at this MLflow tracking server too.")
    ] = None,
    wandb: Annotated[str | None, typer.Option(help="Show curves live in this W&B project too.")] = None,
    callback: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE:CLASS", help="A tune.Callback of yours, called as trials go on."),
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Try data, networks and methods before the first trial.")
    ] = True,
) -> None:
    """Run what is missing of a study, show progress, write the report."""
    print(f"reading {config}", flush=True)  # before the imports, which take seconds
    from study.config import load_config
    from study.plan import planned_records
    from study.telling.tally import Tally

    study = load_config(config, set_)
    with _writable_store(results or f"results/{study.name}") as store, _goes_on_later(store):
        from study.execution import tracking
        from study.run import run_study

        callbacks = [tracking.named(reference) for reference in callback or []]
        callbacks += [tracking.tensorboard(tensorboard)] if tensorboard is not None else []
        callbacks += [tracking.mlflow(mlflow, study.name)] if mlflow is not None else []
        callbacks += tracking.wandb(wandb, list(study.arms)) if wandb is not None else []
        run_study(study, store, _absolute(data_dir), address, retry_crashed, callbacks, check)
        entries, records, complaints = planned_records(store)
        counts = Tally(len(entries), list(records.values())).counts
        _stand_somewhere()
        print("writing the report", flush=True)
        page, summary = _report([store.uri], store.uri)
    from analysis.terminal import closing
    from trainables.results.outcomes import Outcome

    for complaint in complaints:
        print(f"study: {complaint}", file=sys.stderr)
    print(closing(summary) + "\n")
    print(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    _say_crashes(store, records)
    print(f"report: {page}")
    raise typer.Exit(1 if counts[Outcome.CRASHED] or counts["missing"] else 0)


@app.command()
def plan(
    config: Config,
    set_: Set = None,
    data_dir: Data = DEFAULT_DATA,
    as_json: Annotated[
        bool, typer.Option("--json", help="The planned trials as JSON, nothing timed.")
    ] = False,
) -> None:
    """The trials of a study, their number and an estimate of the cost; trains nothing."""
    from study.config import load_config
    from study.plan import plan as plan_trials
    from study.rehearsal.price import priced
    from trainables.results.folder import encode_plan

    study = load_config(config, set_)
    trials = plan_trials(study)
    if as_json:
        print(encode_plan([trial.entry() for trial in trials]).decode(), end="")
        return
    print(f"{study.name}: {len(trials)} trials of {study.training.epochs} epochs")
    for axis, values in study.grid.items():
        print(f"  grid {axis}: {', '.join(f'{v:g}' if isinstance(v, float) else str(v) for v in values)}")
    if study.search is not None:
        low, high = study.search.lr.log
        print(
            f"  search: {study.search.trials} learning rates from {low:g} to {high:g} drawn by "
            f"{study.search.sampler}, each with a seed, the same for every arm"
        )
    if study.refine is not None:
        print(
            f"  that is the first round; refine adds at most {study.refine.budget - len(trials)} trials more"
        )
    for line in priced(study, trials, data_dir):
        print(line, flush=True)


@app.command()
def check(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG|MODEL", help="A study, or a model as module:Name.")
    ],
    set_: Set = None,
    data_dir: Data = DEFAULT_DATA,
) -> None:
    """What a run would find out too late: data, each arm's network, a step, the projection, equivariance."""
    from study.config import load_config
    from study.plan import plan as plan_trials
    from study.rehearsal.check import check_model, check_trials, is_model

    if is_model(config):
        facts = check_model(config, set_ or [], data_dir)
    else:
        facts = check_trials(plan_trials(load_config(config, set_)), data_dir)
    for fact in facts:
        for line in fact.lines():
            print(line)


@app.command()
def submit(
    config: Config,
    address: Annotated[str, typer.Option(help="The job server of the cluster, http://HEAD:8265.")],
    results: Annotated[str, typer.Option(help="Results folder that all nodes reach, such as s3://.")],
    set_: Set = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Data folder on the nodes.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the job's output until it ends.")] = False,
    check: Check = True,
) -> None:
    """Run a study as a job of a Ray cluster, with the current folder as its code."""
    from study.execution import jobs

    with _writable_store(results) as store:
        here = os.environ.get("STUDY_DATA", DEFAULT_DATA) if check else None
        job = jobs.submit(config, set_ or [], store, address, data_dir, here)
    print(f"{job.id} on {job.address}; `study logs {store.uri}` shows what it prints")
    if wait:
        raise typer.Exit(jobs.wait(job, lambda text: print(text, end="", flush=True)))


@app.command()
def logs(
    job: JobOrFolder,
    address: JobAddress = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the job ends, and exit with its code.")
    ] = False,
    trial: Annotated[
        str | None,
        typer.Option(metavar="ID", help="What this trial of the folder printed; needs no cluster."),
    ] = None,
) -> None:
    """What a submitted run, or one trial of a folder, has printed so far."""
    if trial is not None:
        from study.telling.show import trial_log
        from trainables.errors import BadInput

        if follow or address is not None:
            raise BadInput("--trial: reads a results folder; leave out --follow and --address")
        store = _results_folder(job)
        with _bad_folder_is_bad_input():
            print(trial_log(store, trial), end="")
        return
    from study.execution import jobs

    if follow:
        raise typer.Exit(jobs.wait(_job(job, address), lambda text: print(text, end="", flush=True)))
    print(jobs.job_log(_job(job, address)), end="")


@app.command()
def stop(job: JobOrFolder, address: JobAddress = None) -> None:
    """End a submitted run; what is finished is kept."""
    from study.execution import jobs

    jobs.stop(_job(job, address))


@app.command()
def fetch(uri: Annotated[str, typer.Argument(metavar="URI")], folder: Folder) -> None:
    """Copy a results folder from the cluster's storage to a local folder."""
    from study.execution.jobs import fetch as copy

    print(f"{folder}: {copy(uri, folder)} files")


@app.command()
def status(
    folder: JobOrFolder,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    address: JobAddress = None,
) -> None:
    """How many trials are planned, learned, failed, crashed, missing; also while a run is going on.

    The same for each arm, with its best validation metric and why trials failed or crashed, and the trials that train
    at the moment with their worker. Of a refined study also
    its rounds, and which intervals are still wider than asked.
    With --address: whether the job of that id is PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.
    """
    if address is not None:
        from study.execution.jobs import job_status

        print(job_status(_job(folder, address)))
        return
    from study.plan import planned_records
    from study.telling import running as live
    from study.telling.tally import Tally, arms_as_json, arms_table, tally_of_arms
    from trainables.results.crashes import as_json as crashes_as_json
    from trainables.results.crashes import crashes

    store = _results_folder(folder)
    with _bad_folder_is_bad_input():
        entries, records, complaints = planned_records(store)
        rounds = _rounds(store, folder)
        running = live.running(store, entries, records)
    counts = Tally(len(entries), list(records.values())).counts
    for complaint in complaints:
        print(f"study: {complaint}", file=sys.stderr)
    if as_json:
        more = {} if rounds is None else {"refine": rounds.as_json()}
        arms = arms_as_json(entries, records)
        found = crashes_as_json(crashes(records.values()))
        print(
            json.dumps({**counts, "running": live.as_json(running), "arms": arms, "crashes": found, **more})
        )
        return
    print("\n".join(f"{key:8} {value}" for key, value in counts.items()))
    print("\n".join(["", *arms_table(tally_of_arms(entries, records))]))
    if running:
        print("\n".join(["", "running", *(f"  {trial.line()}" for trial in running)]))
    _say_crashes(store, records)
    for line in rounds.lines() if rounds is not None else ():
        print(line)


@app.command()
def report(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Results folders or packed files.")],
    to: Annotated[str | None, typer.Option(help="Folder for the report [default: DIR, of one].")] = None,
) -> None:
    """Tables, figures, report.html and summary.json from the folders alone."""
    from trainables.errors import BadInput

    if to is None and len(folders) > 1:
        raise BadInput("--to: name a folder for the report of several; that of each DIR alone is kept")
    into = _folder_for_output(to or folders[0])
    for folder in folders:
        _results_folder(folder)
    with _bad_folder_is_bad_input():
        page, _ = _report(folders, into)
        print(page)


@app.command()
def watch(
    folder: Folder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; the next free one if it is taken.")
    ] = 8765,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """The report of a run that goes on, live in the browser, on this machine only, until Ctrl-C; DIR is only read."""
    store = _results_folder(folder)
    from analysis.page import waiting_page
    from study.telling import watch as live

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the temporary folder goes in either case
    with suppress(KeyboardInterrupt):
        live.watch(
            _absolute(folder),
            store,
            port,
            waiting_page(folder),
            lambda line: print(line, flush=True),
            live.open_in_browser if browser else lambda url: None,
        )


@app.command()
def pack(folder: Folder, file: Annotated[str, typer.Argument(metavar="FILE")]) -> None:
    """Put a results folder into one Parquet file, which every analysis takes too."""
    from trainables.results.pack import pack as pack_folder

    _results_folder(folder)
    with _bad_folder_is_bad_input():
        print(f"{file}: {pack_folder(folder, file)} files")


@app.command()
def notebooks(
    folder: Folder,
    to: Annotated[str | None, typer.Option(help="Folder for the notebooks [default: DIR].")] = None,
) -> None:
    """Execute the analysis notebooks on a folder and put them, with their HTML, beside its report."""
    from analysis.notebooks import execute_notebooks

    _results_folder(folder)
    with _bad_folder_is_bad_input():
        into = _folder_for_output(to or folder)
        for path in execute_notebooks(folder, into):
            print(f"{into.rstrip('/')}/{path}")


@app.command()
def data(name: Annotated[str, typer.Argument(metavar="NAME")], data_dir: Data = DEFAULT_DATA) -> None:
    """Fetch a public data set, its hash checked, into the data folder."""
    from trainables.tasks.datasets import DATASETS, fetch

    for path in fetch(name, Path(data_dir).expanduser()):
        print(path)
    print(f"License: {DATASETS[name].licence}\n{DATASETS[name].citation}")


@app.command("list")
def list_names(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Such as model or training; `schema`: a config's.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Such as egnn.")] = None,
) -> None:
    """What a study may name; with KIND and NAME every option; `schema` for the JSON schema that editors take."""
    if kind == "schema":
        from study.schema import schema

        print(json.dumps(schema(), indent=1))
        return
    from study.config import presets
    from study.telling.reference import BLOCKS, names, plain
    from trainables.errors import BadInput
    from trainables.registry import REGISTRY, SCHEDULES

    if kind in BLOCKS and name not in (None, kind):
        raise BadInput(f"NAME: the block {kind} has no {name!r}; `study list {kind}` tells its keys")
    if kind in BLOCKS or name is not None:
        print(plain(str(kind), name or str(kind), TERMINAL))
    elif kind is not None:
        print("\n".join(names(kind)))
    else:
        print(f"presets: {', '.join(presets())}")
        for each, known in REGISTRY.items():
            print(f"{each}s: {', '.join(known)}")
        print(f"schedules: {', '.join(SCHEDULES)}")
        print(f"blocks: {', '.join(BLOCKS)}")
        print("`study list model egnn`, `study list training` and so on describe every option")


@app.command()
def show(
    folder: Folder,
    trial: Trial,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Train it again here; exit code 0 if every number is the recorded one."
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
    """One trial: outcome, numbers and settings. The beginning of its id is enough; DIR may be a packed file."""
    from study.telling.show import show as show_trial
    from trainables.results.pack import open_source

    with _bad_folder_is_bad_input():
        store = open_source(folder)
        if not retrain and weights is None:
            print(show_trial(store, trial))
            return
    print(f"reading {folder}", flush=True)  # before the imports, which take seconds
    from study.telling.confirm import confirm

    if not confirm(store, trial, Path(data_dir).expanduser(), weights, allow or ()):
        raise typer.Exit(1)


def _report(folders: list[str], into: str) -> tuple[str, dict[str, Any]]:
    """Write the report; returns where its page lies, and its summary."""
    from analysis.report import write_report

    summary = write_report(folders, into)
    return f"{into.rstrip('/')}/report/report.html", summary


def _results_folder(folder: str) -> "Store":
    """The store of a results folder or packed file; BadInput where it is none."""
    from trainables.errors import BadInput
    from trainables.results.folder import CONFIG, PLAN
    from trainables.results.pack import open_source

    with _bad_folder_is_bad_input():
        store = open_source(folder)
        for name in (PLAN, CONFIG):
            with suppress(FileNotFoundError, NotADirectoryError):
                store.read(name)
                return store
        if store.names("trials"):
            return store
    raise BadInput(
        f"DIR: {folder} is no results folder: it holds neither plan.json nor study.yaml nor trials"
    )


def _rounds(store: "Store", folder: str) -> "RoundsState | None":
    """How far the rounds of a refined study have come; the tables that this needs load pandas."""
    from trainables.results.folder import Damaged, read_config

    try:
        is_refined = read_config(store).get("refine") is not None
    except (FileNotFoundError, Damaged):
        return None
    if not is_refined:
        return None
    from study.refine.state import state_of_rounds

    return state_of_rounds(folder)


def _say_crashes(store: "Store", records: "dict[str, Record]") -> None:
    """Why trials crashed, and how to go on."""
    from trainables.results.crashes import crashes

    found = crashes(records.values())
    for one in found:
        print(one.line(store.uri))
    if found:
        print("fix the cause, then run the same command with --retry-crashed")


def _absolute(folder: str) -> str:
    """The folder from the root, where it is not below a home of each node's own."""
    return folder if folder.startswith("~") else os.path.abspath(folder)


def _stand_somewhere() -> None:
    """Leave a current folder that is gone: Ray clears that of a job away with the first of its nodes."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def _folder_for_output(folder: str) -> str:
    from trainables.errors import BadInput

    if Path(folder).is_file():
        raise BadInput(f"--to: {folder} is a file; name a folder to write to")
    return folder


@contextmanager
def _goes_on_later(store: "Store") -> Iterator[None]:
    """Say in one line, where the block is interrupted, killed or loses its storage or Ray, that work is kept."""
    from study.execution.last_words import last_words

    kept = f"what is done is kept in {store.uri}, the same command goes on from there"
    with last_words(f"study: the run was killed, or Ray was; {kept}"):
        try:
            yield
        except KeyboardInterrupt:
            print(f"\nStopped; {kept}.")
            raise typer.Exit(130) from None
        except OSError as error:
            print(f"study: {' '.join(str(error).split())}; {kept}", file=sys.stderr)
            raise typer.Exit(1) from None


@contextmanager
def _bad_folder_is_bad_input(argument: str = "DIR") -> Iterator[None]:
    """Say what cannot be read as bad input; the analysis itself knows nothing of a command line."""
    from trainables.errors import BadInput

    try:
        yield
    except BadInput:
        raise
    except (OSError, ValueError) as error:
        raise BadInput(f"{argument}: {' '.join(str(error).split())}") from error


@contextmanager
def _writable_store(results: str) -> "Iterator[Store]":
    """The results folder, made if need be; an empty one that was made for nothing is removed again."""
    from trainables.errors import BadInput
    from trainables.results.store import open_store

    root = Path(results).expanduser().resolve()
    made = [] if "://" in results else [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        try:
            store = open_store(results)
            store.write("run.probe", b"")
            store.delete("run.probe")
        except (OSError, ValueError) as error:
            reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
            raise BadInput(f"--results: {results} cannot be written ({reason})") from error
        yield store
    except BaseException:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def _job(job_or_folder: str, address: str | None) -> "Job":
    from study.execution.jobs import Job, find_job
    from trainables.results.store import open_store

    if address is not None:
        return Job(job_or_folder, address)
    with _bad_folder_is_bad_input("JOB"):
        return find_job(open_store(job_or_folder))
