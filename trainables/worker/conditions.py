"""What all trials of a run share and no result depends on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one trial may take of its worker; None is no limit."""

    seconds: float | None = None
    memory_bytes: float | None = None


@dataclass(frozen=True)
class Conditions:
    """Where and with what the trials of a run are trained.

    Args:
        results: URI of the results folder, reached from every node.
        data_folder: Directory of data sets on each node.
        run: Id of the run; only errors within one run count as attempts at a trial.
        threads: Threads of all processes of a trial together.
        gpus: GPUs of one trial; fractions share a GPU, 0 trains on the CPU.
        processes: That share each batch of a trial.
        limits: Limits of one trial.
        report_seconds: Between two reports of a running trial.
        code_folder: Where the modules of users' own models lie, searched last.
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
