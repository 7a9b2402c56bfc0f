"""What transactional producers leave on a topic, and how much memory a merge takes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer

from stream.logs.kafka_log import KafkaLog
from stream.records import NewRecord, TopicPartition
from tests.kafka.broker import LocalKafka


@pytest.fixture
def transactional(kafka_broker: LocalKafka) -> Iterator[KafkaProducer]:
    """Return a producer with transactions."""
    producer = KafkaProducer(
        bootstrap_servers=[kafka_broker.url.removeprefix("kafka://")],
        transactional_id=uuid.uuid4().hex,
    )
    producer.init_transactions()
    yield producer
    producer.close()


def test_aborted_records_are_passed_over_and_markers_end_a_partition(
    kafka: KafkaLog, topic: str, transactional: KafkaProducer
) -> None:
    other = f"{topic}.other"
    kafka.create_topics({other: 1})
    for value, is_kept in ((b"1", True), (b"aborted", False), (b"2", True)):
        transactional.begin_transaction()
        transactional.send(topic, value)
        transactional.flush()
        if is_kept:
            transactional.commit_transaction()
        else:
            transactional.abort_transaction()
    kafka.sink().append([NewRecord(other, None, b"3")]).offsets()
    source = kafka.source([topic, other])
    found: list[bytes | None] = []
    while records := source.poll(10, 2):
        found += [record.value for record in records]
    # The last offset of the first topic is a marker: only a position behind it frees the other.
    assert found == [b"1", b"2", b"3"]
    assert source.bounds()[TopicPartition(topic, 0)].end == 6
    assert source.lag() == {TopicPartition(topic, 0): 0, TopicPartition(other, 0): 0}


def test_an_open_transaction_does_not_hold_up_other_topics(
    kafka: KafkaLog, topic: str, transactional: KafkaProducer
) -> None:
    other = f"{topic}.other"
    kafka.create_topics({other: 1})
    transactional.begin_transaction()
    transactional.send(topic, b"undecided")
    transactional.flush()
    kafka.sink().append([NewRecord(other, None, b"plain")]).offsets()
    source = kafka.source([topic, other])
    assert [record.value for record in source.poll(10, 5)] == [b"plain"]
    assert source.poll(10, 0.5) == []
    transactional.commit_transaction()
    assert [record.value for record in source.poll(10, 5)] == [b"undecided"]


def test_full_buffers_pause_and_everything_is_read(
    kafka: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.logs.kafka_source._BUFFER_RECORDS", 100)
    monkeypatch.setattr("stream.logs.kafka_source._FETCH_RECORDS", 50)
    other = f"{topic}.other"
    kafka.create_topics({other: 2})
    sink = kafka.sink()
    for start in range(0, 6_000, 100):
        numbers = range(start, start + 100)
        sink.append([NewRecord(topic, b"%d" % n, b"x" * 50) for n in numbers])
        sink.append([NewRecord(other, b"%d" % n, b"y" * 50) for n in numbers if n % 10 == 0])
    sink.flush()
    source = kafka.source([topic, other])
    count, most = 0, 0
    while records := source.poll(70, 5):
        count += len(records)
        most = max(most, sum(source._merge.buffered(tp) for tp in source.partitions))
        if count == 6_600:
            break
    assert count == 6_600
    # Three partitions with a share of 33 each, and at most one fetch over it.
    assert most <= 3 * (34 + 50)
    assert all(weight == 0 for weight in source._weights.values())
