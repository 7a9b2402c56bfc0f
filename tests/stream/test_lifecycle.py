"""Challengers are trained, must prove themselves, take over, and can be sent back."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import dummy, linear_model, optim

from stream.digest import state_digest
from stream.errors import RiverrunError
from stream.learner import Learner
from stream.lifecycle.live import adopt, put_in_place, request
from stream.lifecycle.run import Request
from stream.lifecycle.shadow import Adopted
from stream.snapshot import mark_committed, restore, take_snapshot
from stream.training.job import Job
from stream.training.supervisor import Supervisor
from stream.training.train import Training
from tests.lines import SMALL_MONITOR, event, make_config, make_line, new_records, records, truth
from tests.stream.test_worker import Bench

GATE = {"min_labels": 60, "max_labels": 800, "rung": 60, "probation": 200, "min_events": 50}
SLOW = (
    "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.001))"
)
RETRAIN = GATE | {"drift": False, "skew": False, "performance": False}


class Done:
    """A training that ended before anybody could look."""

    def is_alive(self):
        return False

    def heard(self):
        return False

    def end(self):
        """Nothing is left to end."""


class RetrainBench(Bench):
    """A bench whose trainings run at once, in this process."""

    def __init__(self, url, **sections):
        super().__init__(url, **sections)
        self.jobs: list[Job] = []

    def launch(self, job):
        self.jobs.append(job)
        training = Training(job, self.config, self.log, self.store, self.clock, sleep=self.sleep)
        training.run()
        return Done()

    def launched(self, job):
        return self.launch(job)

    def sleep(self, seconds):
        raise RiverrunError("there is nothing to wait for")

    def worker(self, script=(), rebuild=False, config=None, start=True):
        worker = super().worker(script, rebuild, config, start=False)
        self.clock = worker._clock
        log, store, clock = self.log, self.store, self.clock
        worker._make_supervisor = lambda epoch: Supervisor(
            config or self.config, log, store, clock, self.launched, epoch
        )
        if start:
            worker.start(rebuild)
        return worker


def rows(start, end, flip=False, **fields):
    """Return labelled events; flipped, the same features mean the opposite."""
    return new_records(
        "s.events",
        [event(number, truth(number) != flip, **fields) for number in range(start, end)],
    )


def bench_of(url, retrain=RETRAIN, **sections):
    return RetrainBench(url, monitor=SMALL_MONITOR, retrain=retrain, **sections)


def drive(bench, worker, batches):
    """Let a worker handle batches one after the other, with time for runs between."""
    for batch in batches:
        bench.produce(batch)
        worker._clock.time += 10
        worker.run(lambda: False, until_caught_up=True)
        worker._clock.time += 10
        worker.run(lambda: False, until_caught_up=True)


def states(bench):
    return [change["state"] for change in reversed(bench.store.runs.changes())]


def pieces(start, end, size=100, **kinds):
    return [rows(at, min(end, at + size), **kinds) for at in range(start, end, size)]


@pytest.fixture(autouse=True)
def _polls_do_not_wait(monkeypatch):
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)


@pytest.fixture
def bench(store_url):
    return bench_of(store_url)


def ask(worker, trigger="person"):
    return request(worker.line, Request(trigger, reason="a test", by="tester"))


def test_a_better_challenger_is_promoted_and_serves(store_url):
    """The world has turned round, and the champion unlearns slowly."""
    bench = bench_of(store_url, model={"pipeline": SLOW})
    worker = bench.worker()
    drive(bench, worker, pieces(0, 1_500))
    bench.config = make_config(monitor=SMALL_MONITOR, retrain=RETRAIN)
    worker = bench.worker()
    drive(bench, worker, pieces(1_500, 3_000))
    assert states(bench)[:3] == ["training", "shadow", "promoted"]
    assert worker.line.version == "v2"
    assert worker.line.promotions == 1
    change = next(c for c in bench.store.runs.changes() if c["state"] == "promoted")
    assert "v2 is better than v1 on" in change["sentence"]
    assert change["detail"]["challenger_loss"] < change["detail"]["champion_loss"]
    stored = bench.store.newest()
    assert stored.version == "v2"
    assert bench.store.history.versions() == ["v1", "v2"]
    assert bench.store.runs.model("v1") is not None
    assert [row["version"] for row in bench.store.versions()] == ["v1", "v2"]


def test_the_former_champion_is_kept_for_the_probation_and_then_let_go(store_url):
    bench = bench_of(store_url, model={"pipeline": SLOW})
    drive(bench, bench.worker(), pieces(0, 1_000))
    bench.config = make_config(monitor=SMALL_MONITOR, retrain=RETRAIN)
    worker = bench.worker()
    drive(bench, worker, pieces(1_000, 3_000))
    assert states(bench) == ["training", "shadow", "promoted", "probation", "kept"]
    assert worker.line.lifecycle.run is None
    assert not worker.line.lifecycle.shadows


def test_a_challenger_that_is_no_better_is_rejected_and_says_why(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    assert ask(worker)
    drive(bench, worker, pieces(400, 2_000))
    assert states(bench)[:2] == ["training", "shadow"]
    assert states(bench)[-1] == "rejected"
    assert worker.line.version == "v1"
    last = bench.store.runs.changes()[0]
    assert "did not prove itself" in last["sentence"] or "worse" in last["sentence"]


def test_a_refresh_need_only_not_be_worse(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 600))
    assert ask(worker, "schedule")
    drive(bench, worker, pieces(600, 2_000))
    assert "promoted" in states(bench)


def test_a_challenger_that_was_taught_nonsense_is_never_promoted(store_url, monkeypatch):
    bench = bench_of(store_url)
    worker = bench.worker()
    drive(bench, worker, pieces(0, 600))

    def taught_nonsense(self, reader, target):
        learn = self.line.learner.model.learn_one
        self.line.learner.model.learn_one = lambda x, y: learn(x, not y)
        original(self, reader, target)
        del self.line.learner.model.learn_one

    original = Training._learn_up_to
    monkeypatch.setattr(Training, "_learn_up_to", taught_nonsense)
    assert ask(worker, "schedule")
    drive(bench, worker, pieces(600, 1_600))
    assert states(bench) == ["training", "shadow", "rejected"]
    assert "worse" in bench.store.runs.changes()[0]["sentence"]


def test_a_model_that_turns_bad_after_its_promotion_is_sent_back(store_url):
    """A person overrules the gate, and is wrong."""
    bench = bench_of(store_url)
    worker = bench.worker()
    drive(bench, worker, pieces(0, 600))
    bad = Learner(dummy.PriorClassifier(), "binary")
    put_in_place(worker.line, "v9", bad, "tester", "I am sure")
    assert worker.line.version == "v9"
    drive(bench, worker, pieces(600, 1_400))
    assert worker.line.version == "v1"
    assert states(bench)[-1] == "rolled_back"
    change = bench.store.runs.changes()[0]
    assert "is worse than v1 was, after" in change["sentence"]
    assert change["detail"]["labels"] < 200


def test_requests_of_people_are_carried_out_and_answered(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    first = bench.store.runs.ask("retrain", {"reason": "try"}, "ops", 0.0)
    drive(bench, worker, pieces(400, 500))
    assert bench.store.runs.answer(first) == "run 1 began"
    second = bench.store.runs.ask("retrain", {}, "ops", 0.0)
    third = bench.store.runs.ask("promote", {"version": "v77"}, "ops", 0.0)
    fourth = bench.store.runs.ask("cancel", {"reason": "enough"}, "ops", 0.0)
    drive(bench, worker, pieces(500, 600))
    assert bench.store.runs.answer(second) == "added to run 1, which is under way"
    assert bench.store.runs.answer(third) == "refused: no model of v77 was kept"
    assert bench.store.runs.answer(fourth) == "run 1 was called off"
    assert states(bench)[-1] == "cancelled"
    assert bench.store.runs.asked() == []


def test_a_version_can_be_put_back_by_hand(store_url):
    bench = bench_of(store_url, model={"pipeline": SLOW})
    drive(bench, bench.worker(), pieces(0, 1_000))
    bench.config = make_config(monitor=SMALL_MONITOR, retrain=RETRAIN)
    worker = bench.worker()
    drive(bench, worker, pieces(1_000, 3_000))
    assert worker.line.version == "v2"
    asked = bench.store.runs.ask("promote", {"version": "v1", "reason": "audit"}, "ops", 0.0)
    drive(bench, worker, pieces(3_000, 3_020))
    assert bench.store.runs.answer(asked) == "v1 serves"
    assert worker.line.version == "v1"


def test_a_changed_pipeline_becomes_a_challenger_and_the_champion_stays(bench):
    drive(bench, bench.worker(), pieces(0, 400))
    bench.config = make_config(
        monitor=SMALL_MONITOR, retrain=RETRAIN, model={"pipeline": "naive_bayes.GaussianNB()"}
    )
    worker = bench.worker()
    assert worker.line.version == "v1"
    drive(bench, worker, pieces(400, 440, 40))
    assert states(bench) == ["training", "shadow"]
    assert worker.line.version == "v1"
    assert bench.jobs[0].pipelines == {"configured": "naive_bayes.GaussianNB()"}


def test_the_number_of_labels_begins_a_run(store_url):
    bench = bench_of(store_url, RETRAIN | {"labels": 300})
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    assert states(bench)[0] == "training"
    assert bench.store.runs.changes()[-1]["detail"]["trigger"] == "labels"


def test_the_schedule_begins_a_run(store_url):
    bench = bench_of(store_url, RETRAIN | {"schedule": "1h"})
    worker = bench.worker()
    drive(bench, worker, pieces(0, 300))
    assert states(bench) == []
    worker._clock.time += 3_600
    drive(bench, worker, pieces(300, 320))
    assert bench.store.runs.changes()[-1]["detail"]["trigger"] == "schedule"


def test_drift_begins_a_run_that_trains_on_what_came_after_the_change(store_url):
    bench = bench_of(store_url, GATE | {"skew": False, "performance": False, "min_events": 1})
    worker = bench.worker()
    drive(bench, worker, pieces(0, 800) + pieces(800, 1_400, flip=True))
    first = bench.store.runs.changes()[-1]
    assert first["detail"]["trigger"] == "drift"
    assert 700_000 < bench.jobs[0].since < 1_000_000
    assert worker.line.watch.monitor.trigger.state.value in ("RETRAINING", "COOLDOWN", "OK")


def test_no_more_runs_a_day_than_allowed(store_url):
    bench = bench_of(store_url, RETRAIN | {"labels": 100, "max_per_day": 2, "max_labels": 60})
    worker = bench.worker()
    drive(bench, worker, pieces(0, 3_000))
    assert states(bench).count("training") == 2


def test_a_worker_that_dies_while_training_begins_it_again(bench, monkeypatch):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    assert ask(worker)
    worker.checkpoint()
    monkeypatch.setattr(bench, "launch", lambda job: Done())
    worker._dirty = True
    drive(bench, worker, [rows(400, 420)])
    monkeypatch.undo()
    again = bench.worker()
    drive(bench, again, pieces(420, 600))
    assert states(bench)[:2] == ["training", "shadow"]
    assert states(bench).count("shadow") == 1


def test_a_restart_in_the_shadow_goes_on_with_the_same_evidence(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    ask(worker)
    drive(bench, worker, pieces(400, 440, 40))
    again = bench.worker()
    assert again.line.lifecycle.run.phase == "shadow"
    assert state_digest(again.line) == state_digest(worker.line)
    drive(bench, again, pieces(440, 520, 40))
    assert again.line.lifecycle.shadows[0].gate.labels >= 60


def test_a_training_that_fails_ends_the_run_with_the_reason(bench, monkeypatch):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    monkeypatch.setattr(bench, "launch", lambda job: Done())
    ask(worker)
    bench.produce(rows(400, 420))
    turns = iter(range(40))

    def later(line):
        worker._clock.time += 1

    worker.run(lambda: next(turns, None) is None, on_turn=later)
    assert states(bench) == ["training", "failed"]
    assert "its process ended 3 times" in bench.store.runs.changes()[0]["sentence"]
    assert worker.line.watch.monitor.trigger.state.value == "COOLDOWN"


@settings(deadline=None, max_examples=12)
@given(cuts=st.lists(st.integers(1, 200), max_size=8), every=st.integers(1, 3))
def test_every_cut_and_every_restart_leads_to_the_same_decision(cuts, every):
    config = make_config(monitor=SMALL_MONITOR, retrain=RETRAIN)
    numbers = range(1_000)
    rows = records("s.events", [event(n, truth(n) if n % 2 else None) for n in numbers])
    labels = records("s.labels", [{"id": f"e{n}", "y": truth(n)} for n in numbers if n % 2 == 0])
    mixed = [record for pair in zip(rows[::2], rows[1::2], labels, strict=True) for record in pair]

    def begin():
        line = make_line(config)
        line.handle(mixed[:300], 0)
        request(line, Request("person", by="tester"))
        slow = linear_model.LogisticRegression(optimizer=optim.SGD(0.001))
        models = {"prior": dummy.PriorClassifier(), "slow": slow, "copy": line.learner.model}
        adopt(
            line,
            [Adopted(n, n, Learner(deepcopy(m), "binary")) for n, m in models.items()],
            None,
            {},
        )
        return line

    whole = begin()
    whole.handle(mixed[300:], 0)
    line, chunks, start = begin(), {}, 300
    for number, cut in enumerate([*cuts, len(mixed)], start=1):
        line.handle(mixed[start : start + cut], number)
        start += cut
        snapshot, changes = take_snapshot(line)
        for kind, write in snapshot.chunks.items():
            held = {n: d for n, d in chunks.get(kind, {}).items() if n >= write.first}
            chunks[kind] = held if write.data is None else held | {number: write.data}
        mark_committed(line, changes, number)
        if number % every == 0:
            line = make_line(config)
            restore(line, snapshot, {kind: sorted(held.items()) for kind, held in chunks.items()})
    assert whole.lifecycle.runs == 1
    assert len(whole.lifecycle.changes) >= 3
    assert state_digest(line) == state_digest(whole)
