"""The cost of a trial besides its own work: this project's engine against a plain Ray Tune grid.

    python tests/benchmarks/engine_overhead.py [--trials 200] [--seconds 0.05] [--repeats 3]

Both run trials that sleep, on two slots, in turn and each in a new Ray instance. Wall time and CPU time of all
processes are per trial, from the first trial's start to the last one's end; memory is the driver's.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median

import psutil

MARK = "ENGINE_OVERHEAD"
SLOTS = 2


def sleep(config, folder, seconds):
    """The trial of both engines; the first one records the CPU time spent before it."""
    with suppress(FileExistsError), open(f"{folder}/start", "x") as start:
        json.dump({"time": time.time(), "spent": spent(), "by the dead": spent_by_the_dead()}, start)
    time.sleep(seconds)
    return {"outcome": "learned", "val_metric": 1.0}


def spent():
    """CPU seconds of each living process of this run."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == os.environ[MARK]:
                times = process.cpu_times()
                found[str(process.pid)] = times.user + times.system
    return found


def spent_by_the_dead():
    """CPU seconds of the processes of this run that have ended, such as the one that plans."""
    total = 0.0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == os.environ[MARK]:
                times = process.cpu_times()
                total += times.children_user + times.children_system
    return total


def plain(num_trials, folder, seconds):
    """A grid as Ray's documentation writes it, workers reused and loggers off."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    import ray
    from ray import tune

    ray.init(
        address="local", num_cpus=SLOTS, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    tune.Tuner(
        lambda config: sleep(config, folder, seconds),
        param_space={"seed": tune.grid_search(list(range(num_trials)))},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    ).fit()


def ours(num_trials, folder, seconds):
    """The same trials run by the engine of a study, each with the spec of a real one."""
    import ray

    from study.config import Resources
    from study.execution.engine import run_trials
    from study.execution.naming import configs
    from study.execution.search import PlannedSearch
    from study.plan import planned_study
    from study.rehearsal.planner import Planner

    content = {
        "name": "overhead",
        "task": {"name": "nbody"},
        "model": {"name": "egnn"},
        "arms": {"strict": {"method": "strict"}},
        "grid": {"seed": num_trials, "lr": [1e-3]},
    }
    with Planner() as planner:
        planned = planner.begin(planned_study, content)
        ray.init(
            address="local",
            num_cpus=SLOTS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
        )
        config, trials = planned()
    train = partial(sleep, folder=folder, seconds=seconds)
    run_trials(PlannedSearch(configs(trials, config), list), Resources(), train, lambda news: None)


def measured(engine, num_trials, seconds):
    """Numbers of one run in its own process."""
    command = [
        sys.executable,
        __file__,
        "--engine",
        engine,
        "--trials",
        str(num_trials),
        "--seconds",
        str(seconds),
    ]
    environment = {**os.environ, MARK: uuid.uuid4().hex, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_one(engine, num_trials, seconds):
    """Run an engine in this process and print its numbers as JSON."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        {"plain": plain, "ours": ours}[engine](num_trials, folder, seconds)
        ended, after = time.time(), spent()
        start = json.loads(Path(folder, "start").read_text())
    since = sum(total - start["spent"].get(process, 0.0) for process, total in after.items())
    print(
        json.dumps(
            {
                "wall ms": 1000 * (ended - start["time"]) / num_trials,
                "CPU ms": 1000 * since / num_trials,
                "CPU s until the first trial": sum(start["spent"].values()) + start["by the dead"],
                "driver MiB": psutil.Process().memory_info().rss / 2**20,
            }
        )
    )


def main():
    """Print both engines' medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["plain", "ours"])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.engine:
        run_one(options.engine, options.trials, options.seconds)
        return
    runs = {"plain": [], "ours": []}
    for _ in range(options.repeats):
        for engine, results in runs.items():
            results.append(measured(engine, options.trials, options.seconds))
    print(f"{options.trials} trials of {options.seconds} s: plain grid, ours, ratio")
    for name in runs["plain"][0]:
        plain_median, our_median = (median(result[name] for result in runs[engine]) for engine in runs)
        print(f"{name:28} {plain_median:9.1f} {our_median:9.1f} {our_median / plain_median:6.2f}")


if __name__ == "__main__":
    main()
