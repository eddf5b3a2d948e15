"""`study run`: run the missing trials of a study, then write its report."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.folders import absolute, writable_store
from study.commands.options import DEFAULT_DATA, Config, Data, Set
from study.commands.report import written_report
from study.commands.status import print_crashes

if TYPE_CHECKING:
    from trainables.results.store import Store


def run(
    config: Config,
    results: Annotated[str | None, typer.Option(help="Results folder [default: results/NAME].")] = None,
    set_: Set = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster to run on, such as auto.")] = None,
    data_dir: Data = DEFAULT_DATA,
    retry_crashed: Annotated[bool, typer.Option(help="Rerun trials that crashed before.")] = False,
    tensorboard: Annotated[
        str | None, typer.Option(help="Show curves live in this TensorBoard folder too.")
    ] = None,
    mlflow: Annotated[
        str | None, typer.Option(help="Show curves live at this MLflow tracking server too.")
    ] = None,
    wandb: Annotated[str | None, typer.Option(help="Show curves live in this W&B project too.")] = None,
    callback: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE:CLASS", help="Your own tune.Callback, called while trials run."),
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Check data, networks and methods before the first trial.")
    ] = True,
) -> None:
    """Run the missing trials of a study, show progress, and write the report."""
    print(f"reading {config}", flush=True)  # before the imports, which take seconds
    from study.rehearsal.planner import Planner

    with Planner() as planner:
        from study.config import outline, read_content
        from study.folder import planned_records
        from study.inspection.tally import Tally
        from study.plan import planned_study

        content = read_content(config, set_ or [])
        study = outline(content)
        planned = planner.begin(planned_study, content)
        with writable_store(results or f"results/{study.name}") as store, _resumable(store):
            from study.execution import tracking
            from study.run import run_study

            callbacks = [tracking.named(reference) for reference in callback or []]
            callbacks += [tracking.tensorboard(tensorboard)] if tensorboard is not None else []
            callbacks += [tracking.mlflow(mlflow, study.name)] if mlflow is not None else []
            callbacks += tracking.wandb(wandb, list(study.arms)) if wandb is not None else []
            run_study(planner, planned, store, absolute(data_dir), address, retry_crashed, callbacks, check)
            entries, records, complaints = planned_records(store)
            counts = Tally(len(entries), list(records.values())).counts
            _leave_deleted_folder()
            print("writing the report", flush=True)
            page, summary = written_report([store.uri], store.uri)
    from analysis.terminal import closing
    from trainables.results.outcomes import Outcome

    for complaint in complaints:
        print(f"study: {complaint}", file=sys.stderr)
    print(closing(summary) + "\n")
    print(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    print_crashes(store, records)
    print(f"report: {page}")
    raise typer.Exit(1 if counts[Outcome.CRASHED] or counts["missing"] else 0)


@contextmanager
def _resumable(store: "Store") -> Iterator[None]:
    """If the block is interrupted, killed, or loses storage or Ray, say in one line that finished trials are kept."""
    from study.execution.last_words import last_words

    kept = f"finished trials are kept in {store.uri}; the same command resumes from there"
    with last_words(f"study: the run was killed, or Ray was; {kept}"):
        try:
            yield
        except KeyboardInterrupt:
            print(f"\nStopped; {kept}.")
            raise typer.Exit(130) from None
        except OSError as error:
            print(f"study: {' '.join(str(error).split())}; {kept}", file=sys.stderr)
            raise typer.Exit(1) from None


def _leave_deleted_folder() -> None:
    """Leave a current folder that no longer exists: Ray deletes a job's folder with the first of its nodes."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")
