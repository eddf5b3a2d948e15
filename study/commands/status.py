"""`study status`: the progress of a study, or the state of a submitted job."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.folders import bad_folder_is_bad_input, results_folder
from study.commands.jobs import named_job
from study.commands.options import JobAddress, JobOrFolder

if TYPE_CHECKING:
    from study.refine.state import RoundsState
    from trainables.results.record import Record
    from trainables.results.store import Store


def status(
    folder: JobOrFolder,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    address: JobAddress = None,
) -> None:
    """Count the planned, learned, failed, crashed and missing trials; also works during a run.

    Also lists these counts for each arm, with its best validation metric and why trials failed or crashed, and the
    running trials with their workers. For a refined study: its rounds, and the intervals that are still too wide.
    With --address: the state of the job with that id: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.
    """
    if address is not None:
        from study.execution.jobs import job_status

        print(job_status(named_job(folder, address)))
        return
    from study.folder import planned_records
    from study.inspection import running as live
    from study.inspection.tally import Tally, arms_as_json, arms_table, tally_of_arms
    from trainables.results.crashes import as_json as crashes_as_json
    from trainables.results.crashes import crashes

    store = results_folder(folder)
    with bad_folder_is_bad_input():
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
    print_crashes(store, records)
    for line in rounds.lines() if rounds is not None else ():
        print(line)


def print_crashes(store: "Store", records: "dict[str, Record]") -> None:
    """Print why trials crashed, and what to do next."""
    from trainables.results.crashes import crashes

    found = crashes(records.values())
    for one in found:
        print(one.line(store.uri))
    if found:
        print("fix the cause, then run the same command with --retry-crashed")


def _rounds(store: "Store", folder: str) -> "RoundsState | None":
    """The rounds of a refined study (this loads pandas); None for any other study."""
    from trainables.results.folder import Damaged, read_config

    try:
        is_refined = read_config(store).get("refine") is not None
    except (FileNotFoundError, Damaged):
        return None
    if not is_refined:
        return None
    from study.refine.state import state_of_rounds

    return state_of_rounds(folder)
