"""A training that hangs is ended by the worker; one that is slow or stood still is not."""

from __future__ import annotations

import os
import threading

import pytest

from stream.clock import SystemClock
from stream.records import Record, TopicPartition
from stream.sections import WorkerSection
from stream.training.guard import SignsOfLife, TrainingWatchdog
from stream.training.job import Job
from stream.watchdog import Watchdog
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
def hang(tmp_path, monkeypatch):
    """Return a function that lets a worker with a hanging training take turns."""
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)

    def run(signs, turns, seconds_a_turn, stuck_after="2m"):
        bench = bench_of(f"sqlite:///{tmp_path / 'store.db'}", worker={"stuck_after": stuck_after})
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


class Stuck:
    """A line that is at its second record for as long as it is let."""

    def __init__(self):
        self.offsets = {}
        self.left = threading.Event()

    def handle(self, records, now):
        self.offsets[TopicPartition("s.events", 0)] = 1
        assert self.left.wait(120)


class Told:
    """Where a watchdog writes down why it ended the process."""

    def __init__(self):
        self.halts, self.trainings = [], []
        self.runs = self

    def record(self, kind, detail, now):
        self.halts.append(detail["message"])

    def tell_training(self, run, epoch, state, progress, now):
        self.trainings.append((run, epoch, state, progress["reason"]))


RECORDS = [Record("s.events", 0, offset, 0, b"k%d" % offset, b"{}") for offset in range(3)]


def left_by(line):
    """Return what leaves a process: here it lets the line go on."""
    return lambda code: line.left.set()


def test_the_watchdog_of_a_training_names_the_event_and_fails_the_run():
    line, told, signs = Stuck(), Told(), []
    limits, job = WorkerSection(stuck_after="1s"), Job({}, 7, 3, {}, None, None)
    of = (limits, told, SystemClock(), job, lambda: signs.append(1), left_by(line))
    with TrainingWatchdog(*of) as watchdog:
        watchdog.handle_training(line, RECORDS)
    run, epoch, state, reason = told.trainings[0]
    assert (run, epoch, state) == (7, 3, "failed")
    assert reason.startswith("the model has been at s.events-0:1 (key 'k1') for ")
    assert reason.endswith("Mend the candidate, or raise the limit")
    assert told.halts == []
    assert signs


def test_a_candidate_that_hangs_while_it_catches_up_ends_the_worker_with_what_to_do():
    line, told = Stuck(), Told()
    limits = WorkerSection(stuck_after="1s")
    with Watchdog(limits, told, SystemClock(), left_by(line)) as watchdog:
        watchdog.handle_training(line, RECORDS)
    message = told.halts[0]
    assert "s.events-0:1 (key 'k1')" in message
    assert "start again, and its training meets that event and fails" in message
    assert "--rebuild" not in message


def test_signs_of_life_that_nobody_reads_are_no_trouble():
    reading, writing = os.pipe()
    signs = SignsOfLife(writing)
    for _ in range(100_000):
        signs.give()
    assert os.read(reading, 10) == b"." * 10
    os.close(reading)
    signs.give()
    os.close(writing)
