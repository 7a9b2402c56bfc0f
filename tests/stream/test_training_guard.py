"""A training that hangs is ended by the worker; one that is slow or stood still is not."""

from __future__ import annotations

import pytest

from tests.stream.test_lifecycle import ask, bench_of, drive, pieces, rows, states


class Hanging:
    """A training that lives, gives signs of life or none, and can be ended."""

    def __init__(self, signs):
        self.signs = signs
        self.is_ended = False

    def is_alive(self):
        return not self.is_ended

    def heard(self):
        return next(self.signs)

    def end(self):
        self.is_ended = True


@pytest.fixture
def hang(store_url, monkeypatch):
    """Return a function that lets a worker with a hanging training take turns."""
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)

    def run(signs, turns, seconds_a_turn, stuck_after="2m"):
        bench = bench_of(store_url, worker={"stuck_after": stuck_after})
        worker = bench.worker()
        drive(bench, worker, pieces(0, 400))
        training = Hanging(iter(signs))
        monkeypatch.setattr(bench, "launch", lambda job: training)
        ask(worker)
        bench.produce(rows(400, 420))
        left = iter(range(turns))

        def later(_line):
            worker._clock.time += seconds_a_turn
            ended.append(training.is_ended)

        ended = []
        worker.run(lambda: next(left, None) is None, on_turn=later)
        return bench, ended[-1]

    return run


def silent():
    while True:
        yield False


def heard_each(looks):
    while True:
        for _ in range(looks - 1):
            yield False
        yield True


def test_a_training_that_gives_no_sign_of_life_is_ended_and_its_run_has_failed(hang):
    bench, is_ended = hang(silent(), turns=250, seconds_a_turn=1)
    assert is_ended
    assert states(bench) == ["training", "failed"]
    sentence = bench.store.runs.changes()[0]["sentence"]
    assert "The training failed: it gave no sign of life for 181 s" in sentence


def test_one_that_gives_signs_of_life_may_take_as_long_as_it_likes(hang):
    bench, is_ended = hang(heard_each(150), turns=600, seconds_a_turn=1)
    assert not is_ended
    assert states(bench) == ["training"]


def test_a_worker_that_stood_still_does_not_take_its_training_for_dead(hang):
    bench, is_ended = hang(silent(), turns=30, seconds_a_turn=3_600)
    assert not is_ended
    assert states(bench) == ["training"]


def test_without_a_limit_nothing_is_ended(hang):
    bench, is_ended = hang(silent(), turns=400, seconds_a_turn=2, stuck_after="0s")
    assert not is_ended
    assert states(bench) == ["training"]
