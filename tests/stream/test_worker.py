"""The worker publishes before it commits, resumes where it was, and stops loudly."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import update

from stream.build import line_factory
from stream.digest import state_digest
from stream.errors import (
    CheckpointDamagedError,
    FencedError,
    HaltedError,
    OffsetExpiredError,
    OffsetTruncatedError,
    StoreUnreachableError,
    TopicReplacedError,
)
from stream.logs.memory_log import MemoryLog
from stream.logs.scripted_source import ABORT, EOF, PAUSE
from stream.records import NewRecord, TopicPartition
from stream.storage.store import Identity, Store
from stream.storage.tables import parts
from stream.worker import Worker
from tests.lines import event, interleaved, make_config, new_records

EVENTS = TopicPartition("s.events", 0)


class HandClock:
    """A clock that moves by a fixed step whenever somebody looks."""

    def __init__(self, step: float = 0.01) -> None:
        self.time = 1_000.0
        self.step = step

    def now(self) -> float:
        self.time += self.step
        return self.time

    monotonic = now


class Bench:
    """A log and a store, and workers over them."""

    def __init__(self, url, **sections):
        self.config = make_config(**sections)
        self.log = MemoryLog(clock=lambda: 1_000_000)
        self.log.create_topics(dict.fromkeys(self.config.topic_names, 1))
        self.url = url
        self.store = Store(url, "s")

    def produce(self, rows):
        self.log.sink().append(rows)

    def worker(self, script=(), rebuild=False, config=None, start=True):
        topics = [self.config.events_topic, self.config.labels_topic]
        source = self.log.source(topics, script=script)
        config = config or self.config
        worker = Worker(
            config,
            source,
            self.log.sink(),
            self.store,
            clock=HandClock(),
            make_line=line_factory(config),
        )
        if start:
            worker.start(rebuild)
        return worker

    def run(self, **options):
        worker = self.worker(**options)
        worker.run(lambda: False, until_caught_up=True)
        return worker

    def topic(self, name):
        source = self.log.source([f"s.{name}"])
        return source.poll(100_000, 0.0)


@pytest.fixture
def bench(store_url):
    return Bench(store_url)


def by_source(records):
    """Return predictions by the place of their event, without how long they took."""
    found = {}
    for record in records:
        value = msgspec.json.decode(record.value)
        del value["latency_ms"]
        place = dict(record.headers)["riverrun-source-offset"]
        assert found.setdefault(place, value) == value, "a repeat says something else"
    return found


def test_predictions_come_out_with_what_they_were_made_with(bench):
    bench.produce(new_records("s.events", [event(1, True), event(2)]))
    bench.run()
    first, second = bench.topic("predictions")
    value = msgspec.json.decode(first.value)
    assert (first.key, value["id"], value["model_version"]) == (b"e1", "e1", "v1")
    assert value["probabilities"] == {"false": 0.5, "true": 0.5}
    assert (value["learned_offset"], value["source"], value["time"]) == (0, "worker", 1_000)
    assert len(value["features_hash"]) == 16
    assert dict(second.headers)["riverrun-source-offset"] == b"1"
    assert msgspec.json.decode(second.value)["learned_offset"] == 1


def test_dead_letters_keep_bytes_key_and_headers(bench):
    bad = NewRecord("s.events", b"\x00key", b'{"id": \xff', (("h", b"\x01"), ("h", b"2")))
    bench.produce([bad, *new_records("s.events", [event(1)])])
    bench.run()
    (letter,) = bench.topic("dead-letters")
    assert (letter.key, letter.value, letter.headers[:2]) == (bad.key, bad.value, bad.headers)
    headers = dict(letter.headers)
    assert headers["__connect.errors.topic"] == b"s.events"
    assert headers["__connect.errors.offset"] == b"0"
    assert headers["__connect.errors.stage"] == b"decode"
    assert headers["__connect.errors.class.name"] == b"riverrun.invalid_json"
    assert bench.store.newest().status["counts"]["dead_lettered"] == 1


def test_a_dead_letter_too_large_for_the_log_leaves_a_pointer(bench):
    bench.produce([NewRecord("s.events", None, b"[" + b" " * (1_048_576 - 1))])
    bench.run()
    (letter,) = bench.topic("dead-letters")
    assert letter.value is None
    assert dict(letter.headers)["riverrun-omitted-bytes"] == b"1048576"


def test_an_error_anywhere_is_made_good_by_the_next_start(bench, tmp_path):
    """Interrupted after any number of records, the state is that of a run in one piece."""
    rows = interleaved(300)
    bench.produce(rows)
    whole = Bench(f"sqlite:///{tmp_path}/whole.db")
    whole.produce(rows)
    expected = state_digest(whole.run().line)
    for n in (1, 40, 17, 120, 3):
        with pytest.raises(OSError, match="power"):
            bench.worker(script=[n, ABORT(OSError("power"))]).run(lambda: False)
    worker = bench.run(script=[50, PAUSE])
    assert state_digest(worker.line) == expected
    assert bench.store.newest().status["state_digest"] == expected
    assert by_source(bench.topic("predictions")) == by_source(whole.topic("predictions"))


def test_nothing_is_committed_before_it_is_published(bench):
    class FailingSink:
        def append(self, records):
            return None

        def flush(self, timeout_seconds=30.0):
            raise OSError("the broker is gone")

        def close(self):
            pass

    bench.produce(new_records("s.events", [event(1)]))
    worker = bench.worker()
    worker._publisher._sink = FailingSink()
    with pytest.raises(OSError, match="gone"):
        worker.run(lambda: False, until_caught_up=True)
    assert bench.store.newest() is None
    bench.run()
    assert bench.store.newest().offsets["s.events-0"] == 1


def test_a_failed_commit_loses_nothing(bench, monkeypatch):
    bench.produce(interleaved(50))
    worker = bench.worker(script=[30, EOF])
    commit, failures = Store.commit, iter([True])

    def failing(self, *args, **kwargs):
        if next(failures, False):
            raise StoreUnreachableError("the disk is full")
        return commit(self, *args, **kwargs)

    monkeypatch.setattr(Store, "commit", failing)
    with pytest.raises(StoreUnreachableError):
        worker.run(lambda: worker.line.counts.events > 20)
    worker.checkpoint()
    state = state_digest(worker.line)
    again = bench.worker()
    assert state_digest(again.line) == state


def test_the_older_of_two_workers_changes_nothing(bench):
    bench.produce(interleaved(50))
    old = bench.worker(script=[10, PAUSE])
    old.run(lambda: old.line.counts.events >= 8)
    new = bench.run()
    stored, published = bench.store.newest(), len(bench.topic("predictions"))
    with pytest.raises(FencedError):
        old.run(lambda: False)
    assert bench.store.newest() == stored
    assert len(bench.topic("predictions")) == published
    assert state_digest(new.line) == stored.status["state_digest"]


def test_checkpoints_are_spaced_by_what_they_cost(bench):
    """Each look at the clock costs 10 ms here; a commit looks often, so the next one waits."""
    bench.produce(new_records("s.events", [event(n) for n in range(2_000)]))
    bench.run()
    assert bench.store.newest().number < 20


def test_too_many_dead_letters_halt_and_the_rest_stays_unread(store_url):
    bench = Bench(store_url, dead_letters={"window": 20, "max_share": 0.5})
    bench.produce(new_records("s.events", [event(1), *[b"{"] * 50]))
    for _ in range(2):
        with pytest.raises(HaltedError, match="max_share"):
            bench.run()
    assert bench.store.newest().offsets["s.events-0"] == 1 + 11 + 1
    assert len(bench.topic("dead-letters")) == 12


def test_another_pipeline_is_refused_and_can_be_learned_anew(bench):
    bench.produce(interleaved(80))
    bench.run()
    published = len(bench.topic("predictions"))
    other = make_config(model={"pipeline": "naive_bayes.GaussianNB()"}, retrain={"change": False})
    with pytest.raises(HaltedError, match="--rebuild"):
        bench.run(config=other)
    worker = bench.run(config=other, rebuild=True)
    assert worker.line.version == "v2"
    assert len(bench.topic("predictions")) == published
    fresh = line_factory(other)("v2")
    fresh.handle(bench.log.source(["s.events", "s.labels"]).poll(10_000, 0.0), 0)
    assert state_digest(worker.line) == state_digest(fresh)
    assert [row["reason"] for row in bench.store.versions()][
        1
    ] == "rebuilt: asked for with --rebuild"
    assert bench.store.happenings()[0]["kind"] == "rebuild"


def test_layout_of_the_pipeline_does_not_matter(bench):
    bench.produce(interleaved(10))
    bench.run()
    text = "(preprocessing.StandardScaler()|linear_model.LogisticRegression())"
    assert bench.run(config=make_config(model={"pipeline": text})).line.version == "v1"


def test_a_checkpoint_of_another_river_is_rebuilt_from_the_log(bench, monkeypatch):
    bench.produce(interleaved(80))
    first = bench.run()
    published = len(bench.topic("predictions"))
    identity = first._identity
    newer = Identity(identity.fingerprint, identity.format, identity.libraries | {"river": "9.9"})
    monkeypatch.setattr("stream.worker.identity_of", lambda config: newer)
    bench.produce(new_records("s.events", [event(500)]))
    worker = bench.run()
    assert worker.line.version == "v2"
    assert worker.line.counts.events == first.line.counts.events + 1
    assert len(bench.topic("predictions")) == published + 1
    assert "River" in bench.store.happenings()[0]["detail"]["reason"]
    assert bench.run().line.version == "v2"


def test_a_rebuild_that_dies_starts_again(bench):
    bench.produce(interleaved(80))
    bench.run()
    with pytest.raises(OSError, match="power"):
        bench.worker(script=[20, ABORT(OSError("power"))], rebuild=True).run(lambda: False)
    assert bench.store.newest().version == "v1"
    assert bench.run(rebuild=True).line.version == "v2"


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(bench):
    bench.produce(interleaved(50))
    bench.run(script=[])
    expected = state_digest(bench.worker().line)
    bench.produce(new_records("s.events", [event(n) for n in range(100, 120)]))
    bench.run()
    final = bench.store.newest()
    with bench.store._engine.begin() as db:
        mine = (parts.c.number == final.number) & (parts.c.part == "state")
        db.execute(update(parts).where(mine).values(data=b"\x80"))
    worker = bench.worker()
    assert state_digest(worker.line) == expected
    kinds = [h["kind"] for h in bench.store.happenings()]
    assert kinds == ["went_back", "checkpoint_damaged"]
    worker.run(lambda: False, until_caught_up=True)
    assert bench.store.newest().number == final.number + 1
    assert bench.store.newest().status["state_digest"] == final.status["state_digest"]


def test_when_every_checkpoint_is_damaged_it_says_so(bench):
    bench.produce(interleaved(50))
    bench.run()
    with bench.store._engine.begin() as db:
        db.execute(update(parts).values(data=b"\x80"))
    with pytest.raises(CheckpointDamagedError, match="--rebuild"):
        bench.worker()


def test_an_expired_log_halts_or_is_written_down(bench):
    bench.produce(new_records("s.events", [event(n) for n in range(20)]))
    bench.run()
    bench.produce(new_records("s.events", [event(n) for n in range(20, 40)]))
    bench.log.expire(EVENTS, 30)
    with pytest.raises(OffsetExpiredError, match="on_gap"):
        bench.worker()
    going_on = make_config(stream={"on_gap": "continue"})
    worker = bench.run(config=going_on)
    assert worker.line.counts.events == 30
    gap = bench.store.happenings()[0]
    assert gap["kind"] == "gap"
    assert gap["detail"] == {"partition": "s.events-0", "first": 20, "last": 29}


def test_a_truncated_log_goes_back_to_a_checkpoint_that_fits(bench):
    for start in (0, 20, 40):
        bench.produce(new_records("s.events", [event(n) for n in range(start, start + 20)]))
        bench.run()
    bench.log.truncate(EVENTS, 45)
    worker = bench.worker()
    assert worker.line.offsets[EVENTS] == 40
    assert "log_truncated" in [h["kind"] for h in bench.store.happenings()]
    worker.run(lambda: False, until_caught_up=True)
    assert worker.line.counts.events == 45


def test_a_log_truncated_below_every_checkpoint_halts(bench):
    bench.produce(new_records("s.events", [event(n) for n in range(20)]))
    bench.run()
    bench.log.truncate(EVENTS, 5)
    with pytest.raises(OffsetTruncatedError, match="truncated or replaced"):
        bench.worker()


def test_a_rebuild_over_a_truncated_log_ends(bench):
    bench.produce(new_records("s.events", [event(n) for n in range(20)]))
    bench.run()
    bench.log.truncate(EVENTS, 5)
    assert bench.run(rebuild=True).line.counts.events == 5
    assert bench.store.newest().version == "v2"


def test_a_log_that_was_replaced_is_told_by_its_id_however_long_it_is(bench):
    bench.produce(new_records("s.events", [event(n) for n in range(20)]))
    bench.run()
    bench.log = MemoryLog(clock=lambda: 1_000_000)
    bench.log.create_topics(dict.fromkeys(bench.config.topic_names, 1))
    bench.produce(new_records("s.events", [event(n) for n in range(100, 150)]))
    with pytest.raises(TopicReplacedError, match="since the last checkpoint"):
        bench.worker()
    assert bench.store.happenings()[0]["kind"] == "log_replaced"
    assert bench.run(rebuild=True).line.counts.events == 50
    assert len(bench.topic("predictions")) == 50


def test_the_secret_protects_what_is_unpickled(bench):
    bench.produce(interleaved(20))
    bench.run()
    bench.store = Store(bench.url, "s", secret=b"key")
    with pytest.raises(CheckpointDamagedError, match="RIVERRUN_SECRET"):
        bench.worker()


def test_a_character_that_a_database_cannot_hold_stops_nothing(store_url):
    bench = Bench(store_url)
    bench.produce(new_records("s.events", [event(1) | {"id": "a\x00b"}, event(2)]))
    bench.run()
    labels = [{"id": "a\x00b", "y": y, "by": by} for y, by in ((True, "ann"), (False, "b\x00b"))]
    bench.produce(new_records("s.labels", labels))
    assert bench.run().line.counts.learned == 1
    bench.store.runs.ask("retrain", {"reason": "a\x00b"}, "ann\x00", 1.0)
    bench.store.record("gap", {"message": "a\x00b"}, 1.0)
    assert bench.store.happenings()[0]["detail"] == {"message": "a\x00b"}
