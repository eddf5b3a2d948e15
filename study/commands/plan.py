"""`study plan` and `study check`: what a run would do, before it does it."""

from typing import Annotated

import typer

from study.commands.options import DEFAULT_DATA, Config, Data, Set


def plan(
    config: Config,
    set_: Set = None,
    data_dir: Data = DEFAULT_DATA,
    as_json: Annotated[
        bool, typer.Option("--json", help="The planned trials as JSON, without the estimate.")
    ] = False,
) -> None:
    """Show the trials of a study, their number and an estimate of the cost; trains nothing."""
    from study.config import load_config
    from study.plan import plan as plan_trials
    from study.rehearsal.price import priced
    from trainables.results.folder import encode_plan

    study = load_config(config, set_ or [])
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
            f"  this is the first round; refine adds at most {study.refine.budget - len(trials)} more trials"
        )
    for line in priced(study, trials, data_dir):
        print(line, flush=True)


def check(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG|MODEL", help="A study, or a model as module:Name.")
    ],
    set_: Set = None,
    data_dir: Data = DEFAULT_DATA,
) -> None:
    """Find problems before a run: data, each arm's network, a step, the projection, equivariance."""
    from study.config import load_config
    from study.plan import plan as plan_trials
    from study.rehearsal.check import check_model, check_trials, is_model

    if is_model(config):
        facts = check_model(config, set_ or [], data_dir)
    else:
        facts = check_trials(plan_trials(load_config(config, set_ or [])), data_dir)
    for fact in facts:
        for line in fact.lines():
            print(line)
