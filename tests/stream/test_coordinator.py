"""One monitor for all shards: panes without gap or repeat, and each decision once."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial

import msgspec
import pytest
from sqlalchemy import update

from monitor.panes import merge
from stream.build import line_factory
from stream.digest import state_digest
from stream.errors import StoreUnreachableError
from stream.logs.memory_log import MemoryLog
from stream.records import NewRecord
from stream.sharding.adopters import adopters_of
from stream.sharding.adoption import Adopting, Script
from stream.sharding.coordinating import open_coordinator
from stream.sharding.coordinator import LEASE
from stream.sharding.names import shard_name
from stream.storage.store import Store
from stream.storage.tables import panes
from stream.watching.merged_watch import read_part
from stream.worker import Worker
from tests.lines import as_bytes
from tests.stream.test_stream_panes import SHARDS, config_of, one_worker, rows_of
from tests.stream.test_worker import HandClock

WARM_UP = 400
SMALL = {"warmup_events": WARM_UP}


class Bench:
    """Four shards on a log in memory, and coordinators over their rows."""

    def __init__(self, url, parts, **monitor):
        self.config = config_of("partition", **(SMALL | monitor))
        self.url = url
        self.clock = HandClock()
        self.log = MemoryLog(clock=lambda: 1_000_000)
        self.log.create_topics(dict.fromkeys(self.config.topic_names, SHARDS))
        self.parts = parts
        self.sent = [0] * SHARDS
        self.store = Store(url, "s")
        self.workers: dict[int, Worker] = {}
        self.stack = ExitStack()

    def produce(self, share: float, only=range(SHARDS)) -> None:
        """Append events up to a share of each partition's."""
        topic, sink = self.config.events_topic, self.log.sink()
        for number in only:
            part = self.parts[number]
            stop = round(len(part) * share)
            rows = part[self.sent[number] : stop]
            sink.append([NewRecord(topic, None, as_bytes(r), partition=number) for r in rows])
            self.sent[number] = max(self.sent[number], stop)

    def work(self, *numbers: int, begin: bool = False) -> None:
        """Let shards read what there is, adopt, and commit."""
        for number in numbers or range(SHARDS):
            if number not in self.workers or begin:
                self.workers[number] = self._worker(number)
            # What it finds when everything is read is adopted in one more turn.
            for _ in range(2):
                self.workers[number].run(lambda: False, until_caught_up=True)

    def _worker(self, number: int) -> Worker:
        topics = [self.config.events_topic, self.config.labels_topic]
        name = shard_name(number, SHARDS)
        store = self.store.of_shard(name)
        source = self.log.source(topics, partition=number)
        make = line_factory(self.config)
        worker = Worker(
            self.config, source, self.log.sink(), store, make_line=make, clock=self.clock
        )
        adopters = adopters_of(self.config, name)
        worker.adopting = Adopting(store, adopters, self.clock, seconds=0.0)
        worker.start()
        return worker

    def coordinator(self):
        """Return a coordinator as another process would have it."""
        store = self.stack.enter_context(closing(Store(self.url, "s")))
        return open_coordinator(
            self.config, SHARDS, store, lambda: self.log, lambda *_: {"counts": {}}, self.clock,
            self.stack,
        )  # fmt: skip

    def rows(self):
        """Return the stream's panes, oldest first."""
        return [stored.row for stored in self.store.history.panes()][::-1]

    def decisions(self) -> list[str]:
        """Return what was decided, in order."""
        numbers = self.store.shared.after("decision", 0)
        found = [self.store.shared.get("decision", number) for number in numbers]
        return [one.detail["what"] for one in found]

    def happened(self, kind: str) -> list[dict]:
        """Return what was written down of a kind, oldest first."""
        return [one["detail"] for one in self.store.happenings(10_000) if one["kind"] == kind][::-1]


@pytest.fixture
def bench_on(monkeypatch):
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)  # nothing comes while one waits
    made: list[Bench] = []

    def make(url, parts, **monitor) -> Bench:
        made.append(Bench(url, parts, **monitor))
        return made[-1]

    yield make
    for bench in made:
        bench.stack.close()
        bench.store.close()


@pytest.fixture
def bench_of(bench_on, tmp_path):
    return partial(bench_on, f"sqlite:///{tmp_path / 'store.db'}")


@pytest.fixture
def bench_of_both(bench_on, url):
    return partial(bench_on, url)


def same_panes(bench: Bench) -> None:
    one = one_worker(bench.parts, **SMALL).watch.rows
    rows = bench.rows()
    assert [row.index for row in rows] == list(range(len(one)))
    assert [read_part(row).pane for row in rows] == [read_part(row).pane for row in one]


def test_the_streams_panes_in_the_store_are_those_of_one_worker(bench_of):
    bench = bench_of(rows_of(1, 3_000))
    coordinator = bench.coordinator()
    assert coordinator.tick(), "it waits for shards"
    assert bench.store.newest() is None
    for share in (0.3, 0.5, 0.7, 1.0):
        bench.produce(share)
        bench.work()
        assert coordinator.tick()
        bench.work()
        assert coordinator.tick()
    same_panes(bench)
    monitor = bench.store.newest().status["monitor"]
    assert monitor["totals"]["events"] == sum(
        worker.line.watch.totals.events for worker in bench.workers.values()
    )
    assert monitor["merged"] == {
        "shards": SHARDS, "late": 0, "missed": 0, "damaged": 0, "left_out": 0,
    }  # fmt: skip
    assert len(bench.happened("reference")) == 1


def test_shards_and_coordinator_may_be_killed_in_between(bench_of_both):
    bench = bench_of_both(rows_of(2, 3_000))
    for share in (0.2, 0.4, 0.5, 0.6, 0.8, 1.0):
        bench.produce(share)
        bench.work(begin=True)
        coordinator = bench.coordinator()
        coordinator.tick()
        bench.store.leases.leave(coordinator.holder)  # as when it has run out
        bench.work()
        coordinator = bench.coordinator()
        coordinator.tick()
        bench.store.leases.leave(coordinator.holder)
    same_panes(bench)
    assert len(bench.happened("reference")) == 1


def test_one_that_was_frozen_can_decide_nothing(bench_of_both):
    bench = bench_of_both(rows_of(3, 2_400))
    frozen, other = bench.coordinator(), bench.coordinator()
    bench.produce(0.6)
    bench.work()
    assert frozen.tick()
    assert not other.tick(), "the lease is another's"
    bench.work()
    bench.produce(1.0)
    bench.work()
    commit, done = frozen._store.commit, []

    def long_after(*args, **options):
        bench.store.leases.leave(frozen.holder)
        assert other.tick()
        done.append(len(bench.rows()))
        return commit(*args, **options)

    frozen._store.commit = long_after
    assert not frozen.tick(), "what it was about to write is fenced"
    assert done[0] > 5
    assert not frozen.tick(), "and the lease is another's now"
    bench.work()
    assert other.tick()
    same_panes(bench)
    decided = bench.decisions()
    assert decided == ["halt", "resume"] * (len(decided) // 2) + ["halt"] * (len(decided) % 2)
    assert bench.store.newest().status["coordinator"]["epoch"] == 2


def test_a_commit_whose_answer_was_lost_is_gone_on_from(bench_of_both):
    bench = bench_of_both(rows_of(4, 2_000))
    coordinator = bench.coordinator()
    bench.produce(0.6)
    bench.work()
    coordinator.tick()
    bench.work()
    bench.produce(1.0)
    bench.work()
    commit = coordinator._store.commit

    def lost(*args, **options):
        commit(*args, **options)
        raise StoreUnreachableError("store", "the connection was closed")

    coordinator._store.commit = lost
    with pytest.raises(StoreUnreachableError):
        coordinator.tick()
    coordinator._store.commit = commit
    assert coordinator.tick()
    same_panes(bench)


def test_what_a_shard_adopts_is_part_of_its_history(bench_of):
    bench = bench_of(rows_of(11, 2_400), idle_after="0s")
    coordinator = bench.coordinator()
    for share in (0.3, 0.5, 0.8, 1.0):
        bench.produce(share, only=[0, 1] if share < 1.0 else range(SHARDS))
        if share == 0.3:
            bench.produce(0.6, only=[2, 3])
        bench.work(begin=True)
        for _ in range(3):
            coordinator.tick()
        bench.work()
    assert {"close", "halt"} <= set(bench.decisions())
    make, topics = line_factory(bench.config), [bench.config.events_topic]
    for number, worker in bench.workers.items():
        name = shard_name(number, SHARDS)
        store, missing = bench.store.of_shard(name), []
        script = Script(
            store.adoptions.all(), store.shared.get, adopters_of(bench.config, name), missing.append
        )
        line, source = make("v1"), bench.log.source(topics, partition=number)
        source.seek({})
        while records := source.poll(700, 0.0):
            for part in script.turns(line, records):
                line.handle(part, 0)
        assert (missing, len(script)) == ([], 0)
        assert state_digest(line) == state_digest(worker.line)


def drifting(count: int):
    """Return events whose feature ``b`` is another one in the last third, on two partitions."""
    parts = rows_of(5, count)
    for number, part in enumerate(parts):
        for place, row in enumerate(part):
            drifted = number < 2 and place > len(part) * 0.66
            row["b"] = row["a"] * 0.5 + (4.0 if drifted else 0.0)
    return parts


def test_drift_is_found_for_the_stream_and_once(bench_of):
    bench = bench_of(drifting(4_000), min_values=50)
    coordinator = bench.coordinator()
    for share in (0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 1.0):
        bench.produce(share)
        bench.work()
        coordinator.tick()
        bench.store.leases.leave(coordinator.holder)
        coordinator = bench.coordinator()
        coordinator.tick()
    alerts = [one for one in bench.happened("pane") if "alert" in one["wanted"]]
    assert len(alerts) == 1
    assert alerts[0]["alarms"] == ["b"]
    assert len([one for one in bench.happened("pane") if "challenge" in one["wanted"]]) == 1
    first = bench.parts[0][round(len(bench.parts[0]) * 0.66)]["t"]
    assert 0 <= alerts[0]["time"] - first < 5 * 60_000
    for number in range(SHARDS):
        shard = bench.store.of_shard(shard_name(number, SHARDS))
        assert not any(stored.row.summary.alarms for stored in shard.history.panes())


def test_a_halt_of_the_stream_reaches_every_shard_and_so_does_its_end(bench_of):
    parts = rows_of(6, 3_000)
    for number, part in enumerate(parts):
        for place, row in enumerate(part):
            share = place / len(part)
            row["b"] = "twelve" if 0.5 < share < 0.7 and number == 0 else 0.5
    bench = bench_of(parts)
    coordinator = bench.coordinator()

    def shares(*wanted: float):
        for share in wanted:
            bench.produce(share)
            bench.work()
            coordinator.tick()
            bench.work()

    shares(0.4, 0.45, 0.65)
    assert bench.decisions() == ["halt"]
    assert all(worker.line.watch.is_halted for worker in bench.workers.values())
    learned = [worker.line.counts.learned for worker in bench.workers.values()]
    shares(0.66)
    assert [worker.line.counts.learned for worker in bench.workers.values()] == learned
    bench.work(begin=True)
    assert all(worker.line.watch.is_halted for worker in bench.workers.values())
    shares(0.9)
    assert bench.decisions() == ["halt", "resume"]
    shares(1.0)
    assert all(
        worker.line.counts.learned > before
        for worker, before in zip(bench.workers.values(), learned, strict=True)
    )


def test_a_shard_without_events_holds_nobody_up(bench_of):
    bench = bench_of(rows_of(7, 3_000), idle_after="1h")
    coordinator = bench.coordinator()
    bench.produce(0.5)
    bench.work()
    coordinator.tick()
    bench.work()
    coordinator.tick()
    before = len(bench.rows())
    bench.produce(0.9, only=[0, 1, 2])
    bench.work()
    coordinator.tick()
    coordinator.tick()
    held_up = len(bench.rows())
    assert held_up <= before + 1
    assert bench.decisions() == [] or "close" not in bench.decisions()
    bench.clock.time += 3_601
    coordinator.tick()
    assert bench.decisions()[-1] == "close"
    bench.work()
    coordinator.tick()
    assert len(bench.rows()) > held_up + 5
    bench.produce(1.0)
    bench.work()
    coordinator.tick()
    late = sum(read_part(row).pane.late for row in bench.rows())
    assert late > 50, "what the idle shard had still to come is counted, and as late"
    everything = merge([read_part(row).pane for row in bench.rows()])
    one = merge([read_part(row).pane for row in one_worker(bench.parts, **SMALL).watch.rows])
    assert everything.events == one.events
    assert everything.counts.tolist() == one.counts.tolist()


def test_panes_by_count_have_every_event_once(bench_of):
    bench = bench_of(rows_of(8, 3_000), pane_span=None, pane_events=80)
    coordinator = bench.coordinator()
    for share in (0.3, 0.5, 0.7, 1.0):
        bench.produce(share)
        bench.work()
        coordinator.tick()
        bench.work()
        coordinator.tick()
    coordinator.tick()
    rows = bench.rows()
    assert {row.events for row in rows} == {80}
    counted = sum(row.events for row in rows)
    waiting = sum(
        worker.line.watch.monitor.recorder.open.events for worker in bench.workers.values()
    )
    left = sum(len(worker.line.watch.rows) for worker in bench.workers.values())
    seen = sum(worker.line.watch.totals.events for worker in bench.workers.values())
    assert 0 <= seen - WARM_UP - counted - waiting - 20 * left < 4 * 20
    assert bench.store.newest().status["monitor"]["totals"]["panes"] == len(rows)


def test_a_damaged_pane_is_left_out_counted_and_told(bench_of):
    bench = bench_of(rows_of(9, 2_400))
    coordinator = bench.coordinator()
    bench.produce(0.5)
    bench.work()
    coordinator.tick()
    bench.work()
    bench.produce(1.0)
    bench.work()
    closed = bench.store.of_shard("1-of-4").history.after(-1, 10)
    here = (panes.c.shard == "1-of-4") & (panes.c.pane == closed[3].row.index)
    with bench.store._engine.begin() as connection:
        connection.execute(update(panes).where(here).values(data=b"RVRP2nothing"))
    coordinator.tick()
    assert [one["of"] for one in bench.happened("pane_damaged")] == ["1-of-4"]
    merged = bench.store.newest().status["monitor"]["merged"]
    assert (merged["damaged"], merged["missed"]) == (1, 0)
    one = sum(row.events for row in one_worker(bench.parts, **SMALL).watch.rows)
    assert sum(row.events for row in bench.rows()) == one - closed[3].row.events


def test_the_whole_is_no_shard_and_an_undivided_worker_is_refused_still(bench_of):
    bench = bench_of(rows_of(1, 600))
    bench.produce(1.0)
    bench.work()
    coordinator = bench.coordinator()
    coordinator.tick()
    assert bench.store.newest() is not None
    assert bench.store.sharding.names() == [shard_name(number, SHARDS) for number in range(SHARDS)]
    assert len(bench.store.sharding.all()) == SHARDS
    assert bench.store.leases.holder(LEASE) == coordinator.holder
    coordinator.leave()
    assert bench.store.leases.holder(LEASE) is None
    assert msgspec.json.encode(bench.store.newest().status)
