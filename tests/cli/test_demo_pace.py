"""The demo's clock: it goes slower while a challenger has something to learn, and only then."""

import pytest

from serve.demo.pace import FAR_BEHIND, SLOW, Pace
from stream.storage.store import Store

TRAINING = {"retrain": {"run": {"number": 1, "phase": "training", "version": "v2"}}}


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.db", "s")
    store.claim("worker", 0.0)
    yield store
    store.close()


def slowed(store, status):
    pace = Pace(store, 3_000, now=0.0)
    pace.look(status, unread=10)
    return pace.tick(10.0) / 10.0, pace.slowed


def test_a_run_that_trains_slows_the_flights(store):
    assert slowed(store, TRAINING) == (pytest.approx(SLOW), "v2")
    store.runs.begin_training(1, 1, 0.0)
    store.runs.tell_training(1, 1, "running", {"left": 5_000, "learned": 10}, 1.0)
    assert slowed(store, TRAINING) == (pytest.approx(SLOW), "v2")


def test_one_that_waits_for_labelled_flights_does_not(store):
    store.runs.begin_training(1, 1, 0.0)
    store.runs.tell_training(1, 1, "running", {"left": 0, "learned": 2_000}, 1.0)
    assert slowed(store, TRAINING) == (1.0, None)


def test_one_that_has_enough_and_only_catches_up_does(store):
    store.runs.begin_training(1, 1, 0.0)
    store.runs.tell_training(1, 1, "running", {"left": 50, "learned": 3_100}, 1.0)
    assert slowed(store, TRAINING) == (pytest.approx(SLOW), "v2")
    store.runs.tell_training(1, 1, "done", {"events": 3_200, "learned": 3_100}, 2.0)
    assert slowed(store, TRAINING) == (pytest.approx(SLOW), "v2")


@pytest.mark.parametrize(
    "status",
    [
        None,
        {"retrain": None},
        {"retrain": {"run": None}},
        {"retrain": {"run": {"number": 1, "phase": "shadow", "version": "v2"}}},
    ],
)
def test_without_a_training_the_pace_is_kept(store, status):
    assert slowed(store, status) == (1.0, None)


def test_a_worker_far_behind_is_waited_for_until_it_has_read(store):
    pace = Pace(store, 3_000, now=0.0)
    pace.look(None, unread=FAR_BEHIND)
    assert pace.tick(1.0) == 1.0
    pace.look(None, unread=FAR_BEHIND + 1)
    assert pace.stands
    assert pace.tick(60.0) == 1.0
    pace.look(None, unread=0)
    assert pace.tick(62.0) == 3.0
