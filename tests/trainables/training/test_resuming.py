"""The same spec gives the same bits, interrupted or not, and counts the seconds of all attempts."""

import io
import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from every_method import METHODS

from trainables.training.loop import cpu_seconds, run_trial

CPU = torch.device("cpu")


TIMES = ("seconds",)


def without_times(record, rows):
    kept = [{name: value for name, value in row.items() if name not in TIMES} for row in rows]
    return replace(record, seconds=0.0, cpu_seconds=0.0), kept


class Interrupted(Exception):
    pass


def interrupt_after(epochs, kept):
    """A `save` that keeps each state as the bytes of a file, and interrupts the training after `epochs` epochs."""
    count = 0

    def save(state):
        nonlocal count
        buffer = io.BytesIO()
        torch.save(state(), buffer)
        kept.append(buffer.getvalue())
        count += 1
        if count == epochs:
            raise Interrupted

    return save


@pytest.mark.parametrize("method", METHODS, ids=lambda method: "-".join(map(str, method.values())))
def test_the_same_spec_gives_the_same_bits_interrupted_or_not(make_spec, task, method):
    spec = make_spec(method)
    undisturbed = without_times(*run_trial(spec, task, CPU))
    assert undisturbed == without_times(*run_trial(spec, task, CPU))
    for epochs in (1, 3):
        kept = []
        with pytest.raises(Interrupted):
            run_trial(spec, task, CPU, save=interrupt_after(epochs, kept))
        torch.manual_seed(12345)  # whatever another trial left behind must not matter
        saved = torch.load(io.BytesIO(kept[-1]), weights_only=True)
        assert without_times(*run_trial(spec, task, CPU, saved)) == undisturbed


def test_processor_seconds_of_all_attempts_add_up(make_spec, task, monkeypatch):
    """The clock advances a second per reading; an attempt reads it once at its start and after each epoch."""
    clock = itertools.count()
    monkeypatch.setattr("trainables.training.loop.time.process_time", lambda: float(next(clock)))
    spec, kept = make_spec(), []
    undisturbed, rows = run_trial(spec, task, CPU)
    assert undisturbed.cpu_seconds == len(rows)
    with pytest.raises(Interrupted):
        run_trial(spec, task, CPU, save=interrupt_after(2, kept))
    next(clock)  # time between two attempts does not count
    saved = torch.load(io.BytesIO(kept[-1]), weights_only=True)
    assert run_trial(spec, task, CPU, saved)[0].cpu_seconds == len(rows)


def test_processor_seconds_cover_all_processes_and_are_unknown_on_a_gpu():
    team = SimpleNamespace(sum=lambda values: 2 * values)
    run = SimpleNamespace(device=CPU, team=team)
    assert cpu_seconds(run, earlier=1.0, since=3.0) == 7.0
    run.device = torch.device("cuda")
    assert cpu_seconds(run, earlier=1.0, since=3.0) is None


def test_processor_seconds_are_unknown_if_an_earlier_attempt_did_not_count_them(make_spec, task):
    spec, kept = make_spec(), []
    with pytest.raises(Interrupted):
        run_trial(spec, task, CPU, save=interrupt_after(2, kept))
    saved = torch.load(io.BytesIO(kept[-1]), weights_only=True)
    del saved["progress"]["cpu_seconds"]  # as in an older checkpoint
    record, _ = run_trial(spec, task, CPU, saved)
    assert record.cpu_seconds is None
    assert record.seconds > 0
