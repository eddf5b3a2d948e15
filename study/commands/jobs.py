"""`study submit`, `logs`, `stop` and `fetch`: a run as a job of a Ray cluster."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.folders import bad_folder_is_bad_input, results_folder, writable_store
from study.commands.options import DEFAULT_DATA, Check, Config, Folder, JobAddress, JobOrFolder, Set

if TYPE_CHECKING:
    from study.execution.jobs import Job


def submit(
    config: Config,
    address: Annotated[str, typer.Option(help="The job server of the cluster, http://HEAD:8265.")],
    results: Annotated[str, typer.Option(help="Results folder that all nodes can reach, such as s3://.")],
    set_: Set = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Data folder on the nodes.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the job's output until it ends.")] = False,
    check: Check = True,
) -> None:
    """Run a study as a job of a Ray cluster, with the current folder as its code."""
    from study.execution import jobs

    with writable_store(results) as store:
        here = os.environ.get("STUDY_DATA", DEFAULT_DATA) if check else None
        job = jobs.submit(config, set_ or [], store, address, data_dir, here)
    print(f"{job.id} on {job.address}; `study logs {store.uri}` shows its output")
    if wait:
        raise typer.Exit(jobs.wait(job, lambda text: print(text, end="", flush=True)))


def logs(
    job: JobOrFolder,
    address: JobAddress = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow the output until the job ends, and exit with its code.")
    ] = False,
    trial: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Show the output of this trial of the folder; needs no cluster."),
    ] = None,
) -> None:
    """Print the output so far of a submitted run or of one trial in a folder."""
    if trial is not None:
        from study.inspection.show import trial_log
        from trainables.errors import BadInput

        if follow or address is not None:
            raise BadInput("--trial: reads a results folder; leave out --follow and --address")
        store = results_folder(job)
        with bad_folder_is_bad_input():
            print(trial_log(store, trial), end="")
        return
    from study.execution import jobs

    if follow:
        raise typer.Exit(jobs.wait(named_job(job, address), lambda text: print(text, end="", flush=True)))
    print(jobs.job_log(named_job(job, address)), end="")


def stop(job: JobOrFolder, address: JobAddress = None) -> None:
    """Stop a submitted run; finished trials are kept."""
    from study.execution import jobs

    jobs.stop(named_job(job, address))


def fetch(uri: Annotated[str, typer.Argument(metavar="URI")], folder: Folder) -> None:
    """Copy a results folder from the cluster's storage to a local folder."""
    from study.execution.jobs import fetch as copy
    from trainables.errors import BadInput

    if "://" in folder:
        raise BadInput("DIR: must be a local folder")
    with writable_store(folder, "DIR"), bad_folder_is_bad_input():
        print(f"{folder}: {copy(uri, folder)} files")


def named_job(job_or_folder: str, address: str | None) -> "Job":
    """The job with an id at an address or, without an address, the job last submitted for a results folder."""
    from study.execution.jobs import Job, find_job
    from trainables.results.store import open_store

    if address is not None:
        return Job(job_or_folder, address)
    with bad_folder_is_bad_input("JOB"):
        return find_job(open_store(job_or_folder))
