"""What came lately stands in the store once, bounded, with its labels, whatever happens between."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from stream.errors import CheckpointDamagedError
from stream.recent import MAX_VALUE_BYTES, Recent, groups_of, joined
from stream.records import Record
from stream.snapshot import take_snapshot
from stream.storage.database import open_database
from stream.storage.precomputed import Scored
from stream.storage.store import Store
from tests.lines import SMALL_MONITOR, event, interleaved, make_config, make_line, new_records
from tests.stream.test_worker import Bench


def known(store: Store, keep: int = 10_000):
    chunks = [(one.at, one.chunk) for one in store.recent.chunks()]
    return list(joined(chunks, store.recent.last() - keep).values())


def said(store: Store, keep: int = 10_000):
    return [(one.number, one.said.id, one.label) for one in known(store, keep)]


def test_predictions_are_kept_with_what_they_were_made_with_and_their_labels(url):
    bench = Bench(url)
    bench.produce(new_records("s.events", [event(1, True), event(2), event(3)]))
    bench.run()
    bench.produce(new_records("s.labels", [{"id": "e3", "y": False}]))
    bench.run()
    assert said(bench.store) == [(1, "e1", True), (2, "e2", None), (3, "e3", False)]
    first, second, third = known(bench.store)
    assert (first.said.time, first.said.prediction, first.said.source) == (1_000, 0.5, "worker")
    assert (first.said.topic, first.said.offset, second.said.learned_offset) == ("s.events", 0, 1)
    assert [one.is_settled for one in (first, second, third)] == [True, False, True]
    assert third.settled_at is not None
    assert b'"a":' in third.said.value


def test_a_prediction_whose_label_never_came_is_given_up(store_url):
    bench = Bench(store_url, labels={"max_delay": "5s"})
    bench.produce(new_records("s.events", [event(1), event(100)]))
    bench.run()
    first, second = known(bench.store)
    assert (first.is_settled, first.label) == (True, None)
    assert not second.is_settled


@pytest.mark.parametrize("batch", [60, 300])
def test_what_is_kept_is_bounded_and_does_not_depend_on_where_checkpoints_fall(url, batch):
    bench = Bench(url, predictions={"keep": 50})
    rows = interleaved(200)
    for start in range(0, len(rows), batch):
        bench.produce(rows[start : start + batch])
        bench.run()
    line = bench.worker().line
    assert line.counts.predicted == 200
    labels = [line.settled.label(f"e{n}") if f"e{n}" in line.settled else None for n in range(200)]
    assert said(bench.store, 50) == [(n + 1, f"e{n}", labels[n]) for n in range(150, 200)]
    assert sum(one.chunk.predictions != [] for one in bench.store.recent.chunks()) <= 50
    stored = sum(len(one.chunk.predictions) for one in bench.store.recent.chunks())
    assert stored < 50 + max(batch, 50)


def test_keeping_none_leaves_none(store_url):
    bench = Bench(store_url)
    bench.produce(new_records("s.events", [event(1, True)]))
    bench.run()
    assert len(known(bench.store)) == 1
    config = make_config(predictions={"keep": 0})
    bench.produce(new_records("s.events", [event(2, True)]))
    bench.run(config=config)
    assert list(bench.store.recent.chunks()) == []


def test_a_worker_that_goes_back_takes_predictions_and_labels_back(store_url):
    bench = Bench(store_url)
    bench.produce(new_records("s.events", [event(1), event(2)]))
    bench.run()
    number = bench.store.newest().number
    bench.produce(new_records("s.labels", [{"id": "e1", "y": True}]))
    bench.produce(new_records("s.events", [event(3)]))
    bench.run()
    assert len(known(bench.store)) == 3
    bench.store.go_back_to(bench.store.claim("me", 0.0), number)
    assert said(bench.store) == [(1, "e1", None), (2, "e2", None)]


def test_a_rebuild_adds_nothing_twice_and_forgets_nothing(store_url):
    bench = Bench(store_url)
    bench.produce(interleaved(60))
    bench.run()
    before = said(bench.store)
    bench.produce(new_records("s.events", [event(1_000)]))
    bench.run(rebuild=True)
    assert said(bench.store) == [*before, (61, "e1000", None)]
    assert known(bench.store)[-1].said.model_version == "v2"


def test_a_large_event_is_kept_without_its_bytes():
    line, recent = make_line(), Recent(5, last=0, ids=[], seen=[])
    row = event(1, note="x" * MAX_VALUE_BYTES)
    record = new_records("s.events", [row])[0]
    step = line.handle([Record("s.events", 0, 0, 5, None, record.value)], 7)
    recent.saw(step.predictions)
    kept = recent.changes([], []).chunk
    assert len(kept) < MAX_VALUE_BYTES


def test_a_failed_commit_can_try_again():
    line, recent = make_line(), Recent(5, last=0, ids=[], seen=[])
    record = new_records("s.events", [event(1, True)])[0]
    recent.saw(line.handle([Record("s.events", 0, 0, 5, None, record.value)], 7).predictions)
    _, changes = take_snapshot(line)
    settled = changes["settled"][0]
    assert settled == [("e1", True)]
    assert recent.changes(settled, []) == recent.changes(settled, [])
    recent.committed()
    assert recent.changes([], []).chunk is None
    assert recent.changes([("e1", False)], []).chunk is not None, "its id is still known"


def test_anomalies_are_told_once_with_the_checkpoint_that_saw_them(url):
    bench = Bench(url, monitor=SMALL_MONITOR)
    bench.produce(new_records("s.events", [event(n, True) for n in range(150)]))
    bench.run()
    number = bench.store.newest().number
    bench.produce(new_records("s.events", [event(n, True, a="text") for n in (200, 201)]))
    bench.run()
    ((found, _, seen),) = bench.store.recent.sightings(number, 10)
    (wrong,) = [one for one in seen if one.kind == "wrong_type"]
    assert found == number + 1
    assert (wrong.feature, wrong.count, wrong.last) == ("a", 2, 201_000)
    bench.produce(new_records("s.events", [event(202, True, a="text")]))
    line = bench.run().line
    ((_, _, seen),) = bench.store.recent.sightings(number + 1, 10)
    assert [one.count for one in seen if one.kind == "wrong_type"] == [1]
    assert sum(group.count for group in groups_of(line) if group.kind == "wrong_type") == 3


def test_damaged_predictions_are_said_and_do_not_stop_the_worker(url):
    bench = Bench(url)
    bench.produce(new_records("s.events", [event(1, True)]))
    bench.run()
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE predictions SET data = :data"), {"data": b"\xc1"})
    engine.dispose()
    with pytest.raises(CheckpointDamagedError, match="checkpoint 1 are damaged"):
        known(bench.store)
    bench.produce(new_records("s.events", [event(2, True)]))
    assert bench.run().line.counts.learned == 2
    assert said(bench.store) == [(2, "e2", True)]
    assert bench.store.happenings()[0]["kind"] == "predictions_damaged"


def test_the_status_tells_the_lag(store_url):
    bench = Bench(store_url)
    bench.produce(new_records("s.events", [event(n) for n in range(3)]))
    bench.run()
    assert bench.store.newest().status["lag"] == {"s.events-0": 0, "s.labels-0": 0}


def scored(key: str, prediction: float = 0.5) -> Scored:
    return Scored(key, 1, 2, prediction, "v1", 7, "00", b"{}", None)


def test_precomputed_predictions_are_found_by_id_and_the_newest_counts(url):
    store = Store(url, "s")
    other = Store(url, "t")
    store.precomputed.add([scored("a"), scored("b")], keep=10)
    other.precomputed.add([scored("a", 0.9)], keep=10)
    store.precomputed.add([scored("a", 0.25), scored("a", 0.75), scored("c")], keep=10)
    assert store.precomputed.find("a").scored.prediction == 0.75
    assert store.precomputed.find("none") is None
    assert [one.scored.id for one in store.precomputed.page(10)] == ["c", "a", "b"]
    assert [one.scored.id for one in store.precomputed.page(1, before=3)] == ["b"]
    assert (store.precomputed.count(), other.precomputed.count()) == (3, 1)


def test_a_precomputed_prediction_is_found_by_an_id_of_any_characters(url):
    store = Store(url, "s")
    store.precomputed.add([scored("a\x00b"), scored("\U0001f600")], keep=10)
    assert store.precomputed.find("a\x00b") is not None
    assert store.precomputed.find("\U0001f600").scored.id == "\U0001f600"


def test_precomputed_predictions_are_bounded_and_the_oldest_go(url):
    store = Store(url, "s")
    assert store.precomputed.add([scored(str(n)) for n in range(8)], keep=5) == 3
    assert [one.scored.id for one in store.precomputed.page(10)] == ["7", "6", "5", "4", "3"]
