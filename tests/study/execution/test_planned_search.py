"""The plan as Tune's search algorithm: each trial once, in order, each round only after the previous one."""

from ray.tune.search import Searcher

from study.execution.search import PlannedSearch


def test_trials_are_suggested_once_and_in_order():
    search = PlannedSearch([{"trial": "a"}, {"trial": "b"}], list)
    assert [search.suggest("1"), search.suggest("2")] == [{"trial": "a"}, {"trial": "b"}]
    assert search.suggest("3") is None
    search.on_trial_complete("1")
    assert search.suggest("4") is None
    search.on_trial_complete("2", error=True)
    assert search.suggest("5") == Searcher.FINISHED


def test_the_next_round_begins_when_the_previous_one_is_done():
    rounds = iter([[{"trial": "b"}], []])
    search = PlannedSearch([{"trial": "a"}], lambda: next(rounds))
    assert search.suggest("1") == {"trial": "a"}
    assert search.suggest("2") is None
    search.on_trial_complete("1")
    assert search.suggest("3") == {"trial": "b"}
    search.on_trial_complete("3")
    assert search.suggest("4") == Searcher.FINISHED
