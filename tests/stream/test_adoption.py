"""What a shard adopts is part of its history: committed with it, and adopted again by a replay."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import update

from stream.build import line_factory
from stream.digest import state_digest
from stream.errors import CheckpointDamagedError
from stream.logs.memory_log import MemoryLog
from stream.records import TopicPartition
from stream.sharding.adoption import Adopting, Script
from stream.storage.store import Store
from stream.storage.tables import shared
from stream.worker import Worker
from tests.lines import interleaved, make_config
from tests.stream.test_worker import HandClock


class Setter:
    """Sets the intercept of the model to what is shared: a stand-in that changes predictions."""

    def __init__(self, kind: str = "intercept", *, newest_only: bool = True) -> None:
        self.kind = kind
        self.newest_only = newest_only

    def adopt(self, line, found) -> None:
        line.learner.model["LogisticRegression"].intercept = float(found.data)
        line.adopted.kept.setdefault(self.kind, []).append(found.number)


class Bench:
    """One shard on a log in memory, whose workers adopt between their turns."""

    def __init__(self, url, adopter) -> None:
        self.config = make_config()
        self.log = MemoryLog(clock=lambda: 1_000_000)
        self.log.create_topics(dict.fromkeys(self.config.topic_names, 1))
        self.log.sink().append(interleaved(400))
        self.store = Store(url, "s", shard="0-of-1")
        self.adopter = adopter
        self.topics = [self.config.events_topic, self.config.labels_topic]

    def worker(self, *, rebuild: bool = False) -> Worker:
        make = line_factory(self.config)
        source, sink, clock = self.log.source(self.topics), self.log.sink(), HandClock()
        worker = Worker(self.config, source, sink, self.store, make_line=make, clock=clock)
        worker.adopting = Adopting(self.store, [self.adopter], clock, seconds=0.0)
        worker._size._records = 50
        worker._size.fit = lambda *_: None
        worker.start(rebuild)
        return worker

    def share(self, number: int, value: float = 0.0) -> bool:
        data = str(value or number / 10).encode()
        return self.store.shared.publish(self.adopter.kind, number, data, {"n": number}, 1.0)

    def replay(self, version: str = "v1") -> str:
        """Return the digest of an offline replay that adopts where the store says."""
        source, records = self.log.source(self.topics), []
        source.seek({})
        while found := source.poll(1_000, 0.0):
            records += found
        missing: list = []
        rows = self.store.adoptions.all()
        script = Script(rows, self.store.shared.get, [self.adopter], missing.append)
        line = line_factory(self.config)(version)
        for part in script.turns(line, records):
            line.handle(part, 0)
        assert not missing
        assert not len(script)
        return state_digest(line)


@pytest.fixture
def bench(url):
    made = Bench(url, Setter())
    with closing(made.store):
        yield made


def run(worker: Worker, turns: int, after: dict | None = None) -> Worker:
    """Let a worker make some turns, with something done after some of them; commit at the end."""
    crash(worker, turns, after)
    worker.checkpoint()
    return worker


def crash(worker: Worker, turns: int, after: dict | None = None) -> None:
    for turn in range(turns):
        for part in worker.adopting.turns(worker.line, worker._source.poll(50, 0.0)):
            worker._turn(part)
        worker._look_after_runs()
        (after or {}).get(turn, lambda: None)()


def test_nothing_is_adopted_that_nobody_shares(bench):
    worker = run(bench.worker(), 3)
    assert bench.store.adoptions.all() == []
    assert worker.line.adopted.count == 0


def test_a_replay_that_adopts_at_the_same_places_has_the_same_digest(bench):
    publish = {2: lambda: bench.share(1), 5: lambda: bench.share(2)}
    worker = run(bench.worker(), 20, publish)
    rows = bench.store.adoptions.all()
    assert [(row.position, row.kind, row.number) for row in rows] == [
        (0, "intercept", 1),
        (1, "intercept", 2),
    ]
    assert 0 < rows[0].learned_offset < rows[1].learned_offset < worker.line.learned_offset
    newest = bench.store.newest()
    assert newest.status["state_digest"] == state_digest(worker.line) == bench.replay()


def test_without_the_adoption_the_digest_would_be_another(bench):
    run(bench.worker(), 20, {2: lambda: bench.share(1, 5.0)})
    told = bench.store.newest().status["state_digest"]
    bench.store.adoptions.all = list
    assert bench.replay() != told


def test_a_restart_does_not_adopt_twice(bench):
    run(bench.worker(), 5, {2: lambda: bench.share(1)})
    worker = run(bench.worker(), 15)
    assert worker.line.adopted.kept == {"intercept": [1]}
    assert len(bench.store.adoptions.all()) == 1
    assert bench.store.newest().status["state_digest"] == bench.replay()


def test_an_adoption_that_was_lost_with_its_worker_is_made_again(bench):
    run(bench.worker(), 3)
    crash(bench.worker(), 3, {0: lambda: bench.share(1)})
    assert bench.store.adoptions.all() == []
    run(bench.worker(), 15)
    assert [row.number for row in bench.store.adoptions.all()] == [1]
    assert bench.store.newest().status["state_digest"] == bench.replay()


def test_going_back_to_an_older_checkpoint_takes_its_adoptions_back(bench):
    worker = run(bench.worker(), 3)
    older = worker.number
    bench.share(1)
    worker = run(worker, 3)
    assert len(bench.store.adoptions.all()) == 1
    bench.store.go_back_to(worker._claim, older)
    assert bench.store.adoptions.all() == []


def test_a_rebuild_adopts_at_the_same_places(bench):
    run(bench.worker(), 30, {1: lambda: bench.share(1), 4: lambda: bench.share(2)})
    rows = bench.store.adoptions.all()
    bench.share(3)  # what is new comes only after all that was read before
    again = bench.worker(rebuild=True)
    places = []
    while again._is_behind():
        for part in again.adopting.turns(again.line, again._source.poll(70, 0.0)):
            again._turn(part)
            places.append(again.line.learned_offset)
    assert [row.number for row in again.line.adopted.changes] == [1, 2, 3]
    assert again.line.adopted.changes[:2] == rows
    assert again.line.adopted.changes[2].learned_offset == places[-1]
    again.checkpoint()
    assert [row.number for row in bench.store.adoptions.all()] == [1, 2, 3]
    assert bench.store.newest().status["state_digest"] == bench.replay("v2")


def test_a_rebuild_says_what_it_cannot_adopt_any_more(bench):
    run(bench.worker(), 10, {1: lambda: bench.share(1), 4: lambda: bench.share(2)})
    bench.store.shared.forget("intercept", keep=1)
    assert [row.number for row in bench.store.adoptions.all()] == [2]
    bench.worker(rebuild=True)
    kinds = [found["kind"] for found in bench.store.happenings()]
    assert "adoptions_forgotten" in kinds


@pytest.mark.parametrize(("newest_only", "wanted"), [(True, [3]), (False, [1, 2, 3])])
def test_only_the_newest_is_adopted_unless_each_is_wanted(url, newest_only, wanted):
    bench = Bench(url, Setter(newest_only=newest_only))
    with closing(bench.store):
        for number in (1, 2, 3):
            bench.share(number)
        worker = run(bench.worker(), 2)
        assert worker.line.adopted.kept["intercept"] == wanted


def test_each_number_is_published_once(bench):
    assert bench.share(1, 0.5)
    assert not bench.share(1, 0.7)
    assert bench.store.shared.get("intercept", 1).data == b"0.5"
    assert bench.store.shared.newest("intercept").number == 1
    assert bench.store.shared.newest("other") is None


@pytest.mark.parametrize("newest_only", [True, False])
def test_what_is_damaged_is_passed_over_loudly_or_stops_the_shard(url, newest_only):
    bench = Bench(url, Setter(newest_only=newest_only))
    with closing(bench.store):
        bench.share(1)
        with bench.store._engine.begin() as connection:
            connection.execute(update(shared).values(data=b"99"))
        worker = bench.worker()
        if not newest_only:
            with pytest.raises(CheckpointDamagedError, match="intercept 1"):
                run(worker, 1)
            return
        run(worker, 3)
        kinds = [found["kind"] for found in bench.store.happenings()]
        assert kinds.count("shared_damaged") == 1
        assert worker.line.adopted.count == 0


def test_a_history_is_cut_where_it_was_whatever_the_records_come_in(bench):
    run(bench.worker(), 30, {1: lambda: bench.share(1), 4: lambda: bench.share(2)})
    rows = bench.store.adoptions.all()
    source = bench.log.source(bench.topics)
    source.seek({})
    line = line_factory(bench.config)("v1")
    script = Script(rows, bench.store.shared.get, [bench.adopter], pytest.fail)
    while records := source.poll(7, 0.0):
        for part in script.turns(line, records):
            line.handle(part, 0)
    assert line.adopted.changes == rows
    assert line.offsets[TopicPartition("s.events", 0)] > 0
    assert state_digest(line) == bench.replay()
