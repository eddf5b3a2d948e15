"""The trial as Ray Tune sees it: a function that looks up its spec and makes an attempt at it."""

from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from trainables.attempt import Surroundings, attempt, crashed
from trainables.record import write_outcome
from trainables.spec import TrialSpec
from trainables.store import open_store
from trainables.watchdog import Limits, watched


def trainable(config: dict[str, Any], specs: dict[str, str], around: dict[str, Any]) -> None:
    """Run the trial `config["id"]`.

    specs: JSON of each spec by its id
    around: results, data_folder, threads, gpus, run and limits (of trainables.watchdog)
    """
    spec = TrialSpec.model_validate_json(specs[config["id"]])
    context = ray.get_runtime_context()
    surroundings = Surroundings(
        store=open_store(around["results"]),
        data_folder=Path(around["data_folder"]).expanduser(),
        device=torch.device("cuda" if around["gpus"] and torch.cuda.is_available() else "cpu"),
        threads=around["threads"],
        run=around["run"],
        node=context.get_node_id(),
        node_alive=_alive,
    )

    def last_words(reason: str, detail: str) -> None:
        record = crashed(spec, detail, surroundings.device, reason)
        write_outcome(surroundings.store, record, [])

    with watched(Limits(**around["limits"]), last_words):
        record = attempt(spec, surroundings)
    tune.report({"outcome": record.outcome, "seconds": record.seconds})


def _alive(node: str) -> bool:
    return any(entry["NodeID"] == node and entry["Alive"] for entry in ray.nodes())
