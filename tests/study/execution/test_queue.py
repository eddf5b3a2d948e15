"""Trials are handed out once each, come back when their worker is lost, and are not kept when they ended."""

import pytest

from study.execution.queue import LOSSES, Ended, TrialQueue


@pytest.fixture
def queue():
    return TrialQueue({"a": "A", "b": "B", "c": "C"})


def test_each_trial_is_handed_out_once_in_order(queue):
    assert [queue.next_trial(slot) for slot in "1234"] == ["A", "B", "C", None]


def test_a_slot_goes_on_with_the_next_trial(queue):
    assert queue.next_trial("1") == "A"
    assert queue.next_trial("1", "a", "learned") == "B"
    news = queue.news()
    assert (news.ended, news.running, news.left) == ([Ended("a", "learned")], 1, 2)


def test_what_ended_is_told_once_and_not_kept(queue):
    queue.next_trial("1")
    for trial in "abc":
        queue.next_trial("1", trial, "failed")
    assert len(queue.news().ended) == 3
    news = queue.news()
    assert (news.ended, news.running, news.left) == ([], 0, 0)
    assert not queue.specs


def test_the_trial_of_a_lost_worker_is_next(queue):
    queue.next_trial("1")
    queue.next_trial("2")
    queue.lost("1")
    assert queue.news().running == 1
    assert queue.next_trial("3") == "A"


def test_losing_a_worker_that_had_no_trial_changes_nothing(queue):
    queue.lost("7")
    assert queue.next_trial("7") == "A"


def test_a_worker_that_was_thought_lost_may_still_end_its_trial(queue):
    queue.next_trial("1")
    queue.lost("1")
    assert queue.next_trial("1", "a", "learned") == "B"
    assert queue.next_trial("2") == "C"
    assert queue.next_trial("3") is None


def test_a_trial_that_ended_twice_counts_once(queue):
    queue.next_trial("1")
    queue.lost("1")
    assert queue.next_trial("2") == "A"
    assert queue.next_trial("1", "a", "learned") == "B"
    assert queue.next_trial("2", "a", "learned") == "C"
    assert queue.news().ended == [Ended("a", "learned")]


def test_a_trial_that_loses_every_worker_is_left_and_the_others_go_on(queue):
    for _ in range(LOSSES + 1):
        assert queue.next_trial("1") == "A"
        queue.lost("1")
    assert queue.next_trial("1") == "B"
    assert queue.news().left == 2
