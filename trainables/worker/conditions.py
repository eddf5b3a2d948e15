"""The conditions that all trials of a run share and on which no result depends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The resources that one trial may use in its worker; None means no limit."""

    seconds: float | None = None
    memory_bytes: float | None = None


@dataclass(frozen=True)
class Conditions:
    """The paths and resources for the trials of a run.

    Args:
        results: URI of the results folder, reachable from every node.
        data_folder: Directory of data sets on each node.
        run: Id of the run; only errors within one run count as attempts at a trial.
        threads: Number of threads of all processes of a trial together.
        gpus: GPUs of one trial; fractions share a GPU, 0 trains on the CPU.
        processes: Number of processes that share each batch of a trial.
        limits: Limits of one trial.
        report_seconds: Seconds between two reports of a running trial.
        code_folder: Folder of the modules of users' own models, searched last.
    """

    results: str
    data_folder: str
    run: str
    threads: int = 1
    gpus: float = 0
    processes: int = 1
    limits: Limits = Limits()
    report_seconds: float = 10.0
    code_folder: str = ""
