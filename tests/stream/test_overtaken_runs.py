"""A change of the concept is answered, whatever the stream is busy with when it comes."""

from __future__ import annotations

from copy import deepcopy

import pytest

from stream.learner import Learner
from stream.lifecycle.live import adopt, request
from stream.lifecycle.run import Request
from stream.lifecycle.shadow import Adopted
from stream.storage.store import Store
from tests.lines import SMALL_MONITOR, event, make_config, make_line, records, truth

GATE = {"min_labels": 60, "max_labels": 20_000, "skew": False, "performance": False}


def rows(start: int, end: int, change: int):
    found = [event(n, truth(n) != (n >= change)) for n in range(start, end)]
    return records("s.events", found, start)


def busy_line(change: int, **retrain):
    """Return a line with an undecided challenger: a copy of the champion."""
    config = make_config(
        monitor=SMALL_MONITOR,
        retrain=GATE | retrain,
        model={"pipeline": "naive_bayes.GaussianNB()"},
    )
    line = make_line(config)
    line.handle(rows(0, 600, change), 0)
    assert request(line, Request("person", by="tester"))
    copied = Learner(deepcopy(line.learner.model), "binary")
    adopt(line, [Adopted("copy", "copy", copied)], None, {})
    return line


def test_a_challenger_from_before_the_change_gives_way_to_one_from_after_it():
    line = busy_line(change=800)
    line.handle(rows(600, 1_200, 800), 0)
    run = line.lifecycle.run
    assert (run.number, run.phase, run.requests[0].trigger) == (2, "training", "drift")
    assert 700_000 <= run.since <= 900_000
    first = [change for change in line.lifecycle.changes if change.number == 1]
    assert first[-1].state == "cancelled"
    assert "drift" in first[-1].sentence


def test_a_change_found_twice_is_answered_once():
    config = make_config(
        monitor=SMALL_MONITOR, retrain=GATE, model={"pipeline": "naive_bayes.GaussianNB()"}
    )
    line = make_line(config)
    line.handle(rows(0, 900, 600), 0)
    assert {drift.by for drift in line.watch.recent_drifts} == {"betting", "ADWIN"}
    run = line.lifecycle.run
    assert (run.number, run.requests[0].trigger) == (1, "drift")


def test_the_limit_of_a_day_is_kept_by_the_one_that_is_under_way():
    line = busy_line(change=800, max_per_day=0)
    line.handle(rows(600, 1_200, 800), 0)
    assert line.lifecycle.run.number == 1
    assert line.lifecycle.run.requests[-1].trigger == "drift"


@pytest.mark.parametrize("change", [640, 700])
def test_a_change_in_the_cooldown_is_answered_when_that_is_over(change):
    from stream.lifecycle.live import fail

    line = busy_line(change=change)
    fail(line, "called off", "cancelled")
    assert line.watch.monitor.trigger.state.value == "COOLDOWN"
    line.handle(rows(600, 1_200, change), 0)
    run = line.lifecycle.run
    assert run is not None
    assert run.requests[0].trigger == "drift"
    assert run.since >= 500_000


def test_what_came_before_a_proven_change_is_not_trained_on_again():
    config = make_config(
        monitor=SMALL_MONITOR,
        retrain=GATE | {"min_events": 50, "probation": 100},
        model={"pipeline": "naive_bayes.GaussianNB()"},
    )
    line = make_line(config)
    line.handle(rows(0, 900, 600), 0)
    since = line.lifecycle.run.since
    fresh = make_line(config)
    fresh.handle(rows(600, 900, 600), 0)
    adopt(line, [Adopted("fresh", "fresh", fresh.learner)], None, {})
    line.handle(rows(900, 1_400, 600), 0)
    states = [change.state for change in line.lifecycle.changes]
    assert states == ["training", "shadow", "promoted", "probation", "kept"]
    assert request(line, Request("labels"))
    assert line.lifecycle.run.since == since


def test_what_an_overtaken_training_made_does_not_stay(store_url):
    runs = Store(store_url, "s").runs
    runs.begin_training(1, 1, 0.0)
    assert runs.tell_training(1, 1, "done", {}, 0.0, b"candidates")
    runs.begin_training(2, 1, 1.0)
    assert runs.training(1) is None
    assert runs.training(2).state == "running"
    assert not runs.tell_training(1, 1, "running", {}, 2.0)
