"""A divided stream is retrained once, for all of its shards, and promoted once."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from stream.build import line_factory
from stream.digest import state_digest
from stream.errors import RiverrunError
from stream.records import NewRecord
from stream.sharding.adopters import adopters_of
from stream.sharding.adoption import Script
from stream.sharding.coordinating import open_coordinator
from stream.sharding.names import shard_name
from stream.storage.store import Store
from stream.training.train import Training
from tests.lines import PIPELINE, SMALL_MONITOR, as_bytes, event, make_config, truth
from tests.stream.test_coordinator import Bench
from tests.stream.test_lifecycle import GATE, SLOW, Done
from tests.stream.test_stream_panes import SHARDS

RETRAIN = GATE | {"drift": False, "skew": False, "performance": False}


class RetrainBench(Bench):
    """Four shards and coordinators whose trainings run at once, in this process."""

    def __init__(self, url, **sections):
        super().__init__(url, [[] for _ in range(SHARDS)])
        self.config = make_config(
            stream={"shards": "partition"},
            monitor=SMALL_MONITOR,
            retrain=RETRAIN | sections.pop("retrain", {}),
            **sections,
        )
        self.jobs = []
        self.number = 0

    def launch(self, job):
        self.jobs.append(job)
        store = self.stack.enter_context(closing(Store(self.url, "s")))
        Training(job, self.config, self.log, store, self.clock, sleep=self.sleep).run()
        return Done()

    def sleep(self, seconds):
        raise RiverrunError("there is nothing to wait for")

    def coordinator(self):
        store = self.stack.enter_context(closing(Store(self.url, "s")))
        return open_coordinator(
            self.config, SHARDS, store, lambda: self.log, lambda *_: {"counts": {}}, self.clock,
            self.stack, make_line=line_factory(self.config), launch=self.launch,
        )  # fmt: skip

    def go_on(self, coordinator, count, flip=False, size=200):
        """Append labelled events, and let everybody work."""
        for _ in range(0, count, size):
            rows = [event(n, truth(n) != flip) for n in range(self.number, self.number + size)]
            self.number += size
            topic, rng = self.config.events_topic, random.Random(self.number)
            self.log.sink().append(
                [
                    NewRecord(topic, None, as_bytes(row), partition=rng.randrange(SHARDS))
                    for row in rows
                ]
            )
            self.work()
            self.clock.time += 10
            assert coordinator.tick()
            self.work()

    def states(self):
        return [change["state"] for change in reversed(self.store.runs.changes())]

    def versions(self):
        return {worker.line.version for worker in self.workers.values()}

    def assert_replayed(self):
        """Hold each shard against an offline replay that adopts where the store says."""
        make, topics = line_factory(self.config), [self.config.events_topic]
        for number, worker in self.workers.items():
            name = shard_name(number, SHARDS)
            store, missing = self.store.of_shard(name), []
            adopters = adopters_of(self.config, name)
            script = Script(store.adoptions.all(), store.shared.get, adopters, missing.append)
            line, source = make("v1"), self.log.source(topics, partition=number)
            source.seek({})
            while records := source.poll(700, 0.0):
                for part in script.turns(line, records):
                    line.handle(part, 0)
            assert (missing, len(script)) == ([], 0)
            assert state_digest(line) == state_digest(worker.line)


@pytest.fixture
def bench_of(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)
    made: list[RetrainBench] = []

    def make(**sections) -> RetrainBench:
        made.append(RetrainBench(url, **sections))
        return made[-1]

    yield make
    for bench in made:
        bench.stack.close()
        bench.store.close()


def candidates():
    return {"pipeline": SLOW, "candidates": [{"name": "fast", "pipeline": PIPELINE}]}


def test_one_run_one_training_and_one_promotion_for_all_shards(bench_of):
    """Two pipelines: which of them is better is asked once there is a reference."""
    bench = bench_of(model=candidates())
    for _ in range(14):  # each of them dies after it has looked
        coordinator = bench.coordinator()
        bench.go_on(coordinator, 200)
        bench.store.leases.leave(coordinator.holder)
    states = bench.states()
    assert states == ["training", "racing", "shadow", "promoted", "probation", "kept"]
    assert len(bench.jobs) == 1
    assert bench.versions() == {"v2"}
    assert {worker.line.promotions for worker in bench.workers.values()} == {1}
    assert bench.store.newest().version == "v2"
    promoted = next(c for c in bench.store.runs.changes() if c["state"] == "promoted")
    found = promoted["detail"]
    assert found["candidate"] == "fast"
    assert found["labels"] >= GATE["min_labels"]
    assert found["challenger_loss"] < found["champion_loss"]
    assert bench.store.runs.model("v2") is not None
    assert bench.store.history.versions() == ["v1", "v2"]
    retrain = bench.store.newest().status["retrain"]
    assert (retrain["run"], retrain["runs"]) == (None, 1)
    bench.assert_replayed()


def test_the_evidence_at_the_gate_is_that_of_all_shards(bench_of):
    bench = bench_of(retrain={"min_labels": 1_500, "max_labels": 1_800, "max_loss": 1e-6})
    coordinator = bench.coordinator()
    bench.go_on(coordinator, 800)
    bench.store.runs.ask("retrain", {}, "ann", 1.0)
    bench.go_on(coordinator, 1_200)
    gates = [worker.line.lifecycle.shadows[0].gate for worker in bench.workers.values()]
    assert all(gate.labels > 50 for gate in gates)
    bench.go_on(coordinator, 200)
    (shadow,) = bench.store.newest().status["retrain"]["run"]["shadows"]
    assert shadow["gate"]["labels"] <= sum(
        worker.line.lifecycle.shadows[0].gate.labels for worker in bench.workers.values()
    )
    assert shadow["gate"]["labels"] > max(gate.labels for gate in gates)
    bench.go_on(coordinator, 1_600)
    assert bench.states()[:3] == ["training", "shadow", "rejected"]
    assert bench.versions() == {"v1"}
    assert not any(worker.line.lifecycle.shadows for worker in bench.workers.values())
    bench.assert_replayed()


def test_what_people_ask_is_answered_once_and_followed_by_all_shards(bench_of):
    bench = bench_of(model=candidates(), retrain={"probation": 5_000})
    coordinator = bench.coordinator()
    bench.go_on(coordinator, 2_000)
    assert bench.versions() == {"v2"}
    asked = bench.store.runs.ask("rollback", {"reason": "it is odd"}, "ann", 1.0)
    bench.go_on(coordinator, 40, size=40)  # too few for the probation to bring v2 back
    assert bench.store.runs.answer(asked) == "v1 serves"
    assert bench.versions() == {"v1"}
    learned = [worker.line.learner.model for worker in bench.workers.values()]
    assert all(model["LogisticRegression"].weights for model in learned), (
        "each shard's own came back"
    )
    again = bench.store.runs.ask("promote", {"version": "v7"}, "ann", 1.0)
    run = bench.store.runs.ask("retrain", {}, "ann", 1.0)
    bench.go_on(coordinator, 200)
    assert bench.store.runs.answer(again) == "refused: no model of v7 was kept"
    assert "began" in bench.store.runs.answer(run)
    cancel = bench.store.runs.ask("cancel", {"reason": "enough"}, "ann", 1.0)
    bench.go_on(coordinator, 200)
    assert "was called off" in bench.store.runs.answer(cancel)
    assert not any(worker.line.lifecycle.shadows for worker in bench.workers.values())
    bench.assert_replayed()


def test_a_frozen_coordinator_promotes_nothing(bench_of):
    bench = bench_of(model=candidates())
    frozen, other = bench.coordinator(), bench.coordinator()
    commit, fenced = frozen._store.commit, []

    def long_after(claim, number, snapshot, **options):
        if any(change.state == "promoted" for change in snapshot.run_changes) and not fenced:
            fenced.append(number)
            bench.store.leases.leave(frozen.holder)
            assert other.tick()
        return commit(claim, number, snapshot, **options)

    frozen._store.commit = long_after
    for _ in range(12):
        bench.go_on(_Either(frozen, other), 200)
    assert fenced
    assert bench.states().count("promoted") == 1
    assert bench.versions() == {"v2"}
    assert {worker.line.promotions for worker in bench.workers.values()} == {1}
    bench.assert_replayed()


class _Either:
    """Two coordinators of which one holds the lease."""

    def __init__(self, *coordinators):
        self.coordinators = coordinators

    def tick(self):
        held = [one.tick() for one in self.coordinators]
        return any(held)
