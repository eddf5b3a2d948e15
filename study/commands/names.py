"""`study list` and `study data`: the names that a study may use, and the public data sets."""

import json
from pathlib import Path
from typing import Annotated

import typer

from study.commands.options import DEFAULT_DATA, Data

TERMINAL = 80


def data(name: Annotated[str, typer.Argument(metavar="NAME")], data_dir: Data = DEFAULT_DATA) -> None:
    """Download a public data set into the data folder and check its hash."""
    from trainables.tasks.datasets import DATASETS, fetch

    for path in fetch(name, Path(data_dir).expanduser()):
        print(path)
    print(f"License: {DATASETS[name].license}\n{DATASETS[name].citation}")


def list_names(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Such as model or training, or `schema`.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Such as egnn.")] = None,
) -> None:
    """List the names a study may use; with KIND and NAME, every option; with `schema`, a JSON schema for editors."""
    if kind == "schema":
        from study.schema import schema

        print(json.dumps(schema(), indent=1))
        return
    from study.config import presets
    from study.inspection.reference import BLOCKS, names, plain
    from trainables.errors import BadInput
    from trainables.registry import REGISTRY, SCHEDULES

    if kind in BLOCKS and name not in (None, kind):
        raise BadInput(f"NAME: the block {kind} has no {name!r}; `study list {kind}` lists its keys")
    if kind in BLOCKS or name is not None:
        print(plain(str(kind), str(kind) if name is None else name, TERMINAL))
    elif kind is not None:
        print("\n".join(names(kind)))
    else:
        print(f"presets: {', '.join(presets())}")
        for each, known in REGISTRY.items():
            print(f"{each}s: {', '.join(known)}")
        print(f"schedules: {', '.join(SCHEDULES)}")
        print(f"blocks: {', '.join(BLOCKS)}")
        print("`study list model egnn`, `study list training` and so on describe every option")
