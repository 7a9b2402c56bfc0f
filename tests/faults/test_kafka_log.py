"""A log that was truncated, expired, replaced or widened: nothing of it is skipped in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition

from stream.logs.open_log import open_log
from stream.records import NewRecord, TopicPartition
from tests.faults.oracle import Replay, read_source
from tests.faults.scene import Scene
from tests.faults.watching import committed, said, wait_until
from tests.kafka.broker import LocalKafka
from tests.lines import event, interleaved, new_records, truth

pytestmark = [
    pytest.mark.promise("log_honest"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EVENTS = 400


@contextmanager
def administering(broker: LocalKafka) -> Iterator[KafkaAdminClient]:
    """Open a client that can do to topics what ours never does."""
    admin = KafkaAdminClient(bootstrap_servers=[broker.url.removeprefix("kafka://")])
    try:
        yield admin
    finally:
        admin.close()


def make_scene(broker: LocalKafka, tmp_path: Path, record, events=EVENTS, **sections) -> Scene:
    return Scene(
        broker.url, f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record, events=events,
        **sections,
    )  # fmt: skip


def expire(broker: LocalKafka, topic: str, offset: int) -> None:
    """Delete what stands before an offset, as retention does."""
    with administering(broker) as admin:
        admin.delete_records({KafkaPartition(topic, 0): offset})


def replace(broker: LocalKafka, topic: str) -> None:
    """Delete a topic and make it anew, empty."""
    log = open_log(broker.url)
    with administering(broker) as admin:
        admin.delete_topics([topic])
        wait_until(lambda: topic not in log.topics(), "the end of the topic")
    log.create_topics({topic: 1})
    log.close()


def happenings(scene: Scene, kind: str) -> list[dict[str, Any]]:
    """Return what the store says has happened."""
    store = scene.store()
    try:
        return [row["detail"] for row in store.happenings(limit=100) if row["kind"] == kind]
    finally:
        store.close()


def more_events(scene: Scene, first: int, count: int, partition: int | None = None):
    rows = [event(number, truth(number)) for number in range(first, first + count)]
    records = new_records(scene.config.events_topic, rows)
    return [NewRecord(one.topic, one.key, one.value, partition=partition) for one in records]


def test_a_log_that_expired_above_the_checkpoint_stops_the_worker(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    topic = scene.config.events_topic
    code, errors = scene.run()
    assert code == 0, errors
    end = scene.store().newest().offsets[f"{topic}-0"]
    scene.produce(more_events(scene, 1_000, 50))
    expire(kafka_broker, topic, end + 20)
    record.fault()
    before = scene.store().newest()
    code, errors = scene.run()
    assert code == 4, errors
    assert f"continues at offset {end}, but the log now begins at {end + 20}" in errors
    assert "20 records expired unread" in errors
    assert 'stream.on_gap = "continue"' in errors
    assert scene.store().newest() == before


def test_a_gap_that_may_be_passed_is_written_down(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record, stream={"on_gap": "continue"})
    topic = scene.config.events_topic
    code, errors = scene.run()
    assert code == 0, errors
    read = read_source(kafka_broker.url, scene.config)
    end = scene.store().newest().offsets[f"{topic}-0"]
    scene.produce(more_events(scene, 1_000, 50))
    expire(kafka_broker, topic, end + 20)
    record.fault()
    code, errors = scene.run()
    assert code == 0, errors
    assert happenings(scene, "gap") == [{"partition": f"{topic}-0", "first": end, "last": end + 19}]
    # The oracle: what was read before, and what is left behind the gap.
    left = [r for r in read_source(kafka_broker.url, scene.config) if r.topic == topic]
    assert len(left) == 30
    replay = Replay(scene.config, read)
    replay.go_on_behind(TopicPartition(topic, 0), end + 20, left)
    log, store = open_log(kafka_broker.url), scene.store()
    replay.assert_same(store, log, record)
    store.close()
    log.close()


def test_what_expires_before_a_worker_that_reads_is_not_skipped(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    code, errors = scene.run()
    assert code == 0, errors
    end = scene.store().newest().offsets[f"{scene.config.events_topic}-0"]
    scene.produce(more_events(scene, 1_000, 40))
    code, errors = scene.run(step="before_poll", times=2)  # dies with what it has read
    assert code < 0
    expire(kafka_broker, scene.config.events_topic, end + 40)
    record.fault()
    code, errors = scene.run()
    newest = scene.store().newest().offsets[f"{scene.config.events_topic}-0"]
    assert (code, newest) in {(0, end + 40), (4, newest)}, errors
    if code == 4:
        assert f"continues at offset {newest}" in errors


def test_a_topic_that_was_made_anew_stops_the_next_start(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    topic = scene.config.events_topic
    code, errors = scene.run()
    assert code == 0, errors
    end = scene.store().newest().offsets[f"{topic}-0"]
    before = scene.store().newest()
    replace(kafka_broker, topic)
    scene.produce(more_events(scene, 2_000, 30))
    record.fault()
    code, errors = scene.run()
    assert code == 4, errors
    assert f"continues at offset {end}, but the log ends at 30" in errors
    assert "truncated or replaced" in errors
    assert happenings(scene, "log_truncated")
    assert scene.store().newest() == before
    # As the message says: a new store, on what is on the log now.
    scene.store_url = scene.sections["stream"]["store"] = f"sqlite:///{tmp_path / 'new.db'}"
    code, errors = scene.run()
    assert code == 0, errors
    replay = Replay(scene.config, read_source(kafka_broker.url, scene.config))
    assert scene.store().newest().status["counts"]["learned"] == replay.line.counts.learned


def test_a_topic_that_was_made_anew_and_has_grown_past_the_checkpoint_stops_the_next_start(
    kafka_broker, tmp_path, record
):
    scene = make_scene(kafka_broker, tmp_path, record)
    topic = scene.config.events_topic
    code, errors = scene.run()
    assert code == 0, errors
    before = scene.store().newest()
    replace(kafka_broker, topic)
    scene.produce(more_events(scene, 2_000, before.offsets[f"{topic}-0"] + 50))
    record.fault()
    code, errors = scene.run()
    assert code == 4, errors
    assert f"topic '{topic}' was deleted and made anew" in errors
    assert happenings(scene, "log_replaced")
    assert scene.store().newest() == before


def test_a_topic_that_is_made_anew_under_a_worker_stops_it(kafka_broker, tmp_path, record):
    scene, told, until = (
        make_scene(kafka_broker, tmp_path, record),
        tmp_path / "told",
        tmp_path / "until",
    )
    topic = scene.config.events_topic
    process = scene.start(told=str(told), until=str(until))
    end = len([r for r in read_source(kafka_broker.url, scene.config) if r.topic == topic])
    wait_until(lambda: committed_to(scene, topic) == end, "the end of the log")
    replace(kafka_broker, topic)
    record.fault()
    code, errors = scene.end(process)
    until.touch()
    assert code == 4, errors
    assert "made anew" in errors or "truncated or replaced" in errors
    assert committed_to(scene, topic) == end


def committed_to(scene: Scene, topic: str) -> int:
    """Return up to where a topic is committed."""
    store = scene.store()
    try:
        newest = store.newest()
        return 0 if newest is None else newest.offsets.get(f"{topic}-0", 0)
    finally:
        store.close()


def test_partitions_that_are_added_are_read_without_a_restart(kafka_broker, tmp_path, record):
    scene, told, until = (
        make_scene(kafka_broker, tmp_path, record),
        tmp_path / "told",
        tmp_path / "until",
    )
    topic = scene.config.events_topic
    process = scene.start(told=str(told), until=str(until))
    wait_until(lambda: committed(scene, 2), "a commit")
    with administering(kafka_broker) as admin:
        admin.create_partitions({topic: 3})
    record.fault()
    wait_until(lambda: len(said(told, "partition_added")) == 2, "the new partitions")
    end = len([r for r in read_source(kafka_broker.url, scene.config) if r.topic == topic])
    wait_until(lambda: committed_to(scene, topic) == end, "the end of the log")
    for partition in (1, 2):
        scene.produce(more_events(scene, 1_000 * partition, 40, partition))
        store = scene.store()
        wait_until(
            lambda place=f"{topic}-{partition}", store=store: (
                store.newest().offsets.get(place) == 40
            ),
            "the new events",
        )
        store.close()
    until.touch()
    code, errors = scene.end(process)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_an_offset_that_no_batch_holds_any_more_is_no_loss(kafka_broker, tmp_path, record):
    """Records that were read and then expired: the usual life of a log."""
    scene = make_scene(kafka_broker, tmp_path, record, events=0)
    scene.produce(interleaved(200, topics=scene.config.topic_names[:2]))
    code, errors = scene.run()
    assert code == 0, errors
    read = read_source(kafka_broker.url, scene.config)
    end = scene.store().newest().offsets[f"{scene.config.events_topic}-0"]
    expire(kafka_broker, scene.config.events_topic, end)
    record.fault()
    scene.produce(more_events(scene, 3_000, 30))
    code, errors = scene.run()
    assert code == 0, errors
    fresh = [
        r
        for r in read_source(kafka_broker.url, scene.config)
        if r.topic == scene.config.events_topic
    ]
    log, store = open_log(kafka_broker.url), scene.store()
    Replay(scene.config, [*read, *fresh]).assert_same(store, log, record)
    store.close()
    log.close()
